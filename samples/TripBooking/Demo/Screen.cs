using System.Globalization;

namespace TripBooking.Demo;

/// <summary>Writes to the console: titles, indented lines, times in seconds.</summary>
internal static class Screen
{
    public static void Title(string text)
    {
        Line();
        Line();
        Line(text);
        Line(new string('─', text.Length));
        Line();
    }

    public static void Line(string text = "") => Console.WriteLine(text.TrimEnd());

    public static void Text(params ReadOnlySpan<string> lines)
    {
        foreach (var line in lines)
        {
            Line($"  {line}");
        }
    }

    /// <summary>One line of a time line. A key is only worth showing where it has a column to itself.</summary>
    public static void Show(Moment moment) => Text($"{Seconds(moment.At)}  {moment.Who,-16} {(moment.Key is null ? moment.What : $"{moment.What,-38} {moment.Key}")}");

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,5:0.00} s");
}
