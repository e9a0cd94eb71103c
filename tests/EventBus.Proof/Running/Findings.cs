namespace EventBus.Proof;

/// <summary>The findings of a checker: figures, and conditions that hold or do not.</summary>
internal sealed class Findings
{
    private const int Shown = 10;

    private readonly List<string> lines = [];
    private readonly List<string> broken = [];

    public bool Passed => broken.Count == 0;

    /// <summary>The conditions that do not hold.</summary>
    public IReadOnlyList<string> Broken => broken;

    /// <summary>Adds a figure without a condition.</summary>
    public void Note(string what, string figure) => lines.Add($"  {what,-34} {figure}");

    /// <summary>Adds a figure without a condition.</summary>
    public void Note(string what, long figure) => Note(what, $"{figure:N0}");

    /// <summary>Requires that there are no offenders, and names them otherwise.</summary>
    public void None(string what, IEnumerable<string> offenders)
    {
        string[] found = [.. offenders];
        Note(what, found.Length);
        if (found.Length > 0)
        {
            broken.Add($"{found.Length:N0} {what}: {string.Join(", ", found.Take(Shown))}{(found.Length > Shown ? ", ..." : "")}");
        }
    }

    /// <summary>Requires that there are no offending events, and lists their numbers otherwise.</summary>
    public void None(string what, IEnumerable<long> offenders) => None(what, offenders.Select(number => $"{number}"));

    /// <summary>Requires that a figure has a certain value.</summary>
    public void Exactly(string what, long expected, long actual)
    {
        Note(what, actual);
        if (expected != actual)
        {
            broken.Add($"{what}: {actual:N0}, and {expected:N0} were expected");
        }
    }

    /// <summary>Requires a condition.</summary>
    public void Demand(bool holds, string what, string detail)
    {
        Note(what, detail);
        if (!holds)
        {
            broken.Add($"{what}: {detail}");
        }
    }

    /// <summary>Records that the proof could not be completed.</summary>
    public void Fail(string why) => broken.Add(why);

    public IEnumerable<string> Lines => lines.Concat(broken.Select(reason => $"  !! {reason}"));
}
