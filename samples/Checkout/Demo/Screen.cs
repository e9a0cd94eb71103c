using System.Globalization;

namespace Checkout.Demo;

/// <summary>Writes titles, indented lines and times in seconds to the console.</summary>
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

    public static void Answer(Answer answer, string comment) =>
        Line($"  {"POST " + answer.Path,-24} {(int)answer.Status} {Words(answer.Status),-21} {Seconds(answer.Elapsed)}   {comment}");

    /// <summary>Prints the times before and after a change, and how much less a request waits.</summary>
    public static void Change(TimeSpan before, TimeSpan after) =>
        Text($"{Seconds(before).Trim()} -> {Seconds(after).Trim()}, {Math.Round(100 - 100 * after / before):0} % less waiting");

    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds,5:0.00} s");

    private static string Words(System.Net.HttpStatusCode status) =>
        Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase((int)status);
}
