using System.Globalization;

namespace TripBooking.Demo;

/// <summary>Writes titles, indented lines and times in seconds to the console.</summary>
internal static class Screen
{
    // The longest is an event of a child process: 2 saga.step.completed.
    private const int WhoWidth = 21;

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

    /// <summary>Prints one line of a timeline, with the key in its own column if there is one.</summary>
    public static void Show(Moment moment)
    {
        var text = moment.Key is null ? moment.What : $"{moment.What,-38} {moment.Key}";
        Text($"{Seconds(moment.At)}  {moment.Who,-WhoWidth} {text}");
    }

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,5:0.00} s");
}
