namespace Checkout.Demo;

/// <summary>Compares the promises of the demo with the measured figures.</summary>
internal sealed class Promises
{
    private readonly List<(string Promise, string Measured, bool Kept)> lines = [];

    public void Add(string promise, TimeSpan measured, bool kept) => lines.Add((promise, Screen.Seconds(measured), kept));

    public void Add(string promise, long measured, long expected) => lines.Add((promise, $"{measured,5}", measured == expected));

    public void Add(string promise, bool kept) => lines.Add((promise, kept ? "  yes" : "   no", kept));

    /// <summary>Prints all promises.</summary>
    /// <returns>True if all were kept.</returns>
    public bool Print()
    {
        foreach (var (promise, measured, kept) in lines)
        {
            Screen.Text($"{(kept ? "ok" : "NOT KEPT"),-10}{promise,-64}{measured}");
        }

        var broken = lines.Count(line => !line.Kept);
        Screen.Line();
        Screen.Text(broken == 0 ? "Everything is as promised." : $"{broken} of {lines.Count} promises not kept.");
        return broken == 0;
    }
}
