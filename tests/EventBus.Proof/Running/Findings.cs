namespace EventBus.Proof;

/// <summary>The findings of a checker: figures, and demands that hold or do not.</summary>
internal sealed class Findings
{
    private const int Shown = 10;

    private readonly List<string> lines = [];
    private readonly List<string> broken = [];

    public bool Passed => broken.Count == 0;

    /// <summary>Why it did not pass.</summary>
    public IReadOnlyList<string> Broken => broken;

    /// <summary>A figure to read.</summary>
    public void Note(string what, string figure) => lines.Add($"  {what,-34} {figure}");

    /// <summary>A figure to read.</summary>
    public void Note(string what, long figure) => Note(what, $"{figure:N0}");

    /// <summary>Something of which there must be none: the offenders are named.</summary>
    public void None(string what, IEnumerable<string> offenders)
    {
        string[] found = [.. offenders];
        Note(what, found.Length);
        if (found.Length > 0)
        {
            broken.Add($"{found.Length:N0} {what}: {string.Join(", ", found.Take(Shown))}{(found.Length > Shown ? ", ..." : "")}");
        }
    }

    /// <summary>Something of which there must be none: the offending events are named by their numbers.</summary>
    public void None(string what, IEnumerable<long> offenders) => None(what, offenders.Select(number => $"{number}"));

    /// <summary>A figure that must be a certain one.</summary>
    public void Exactly(string what, long expected, long actual)
    {
        Note(what, actual);
        if (expected != actual)
        {
            broken.Add($"{what}: {actual:N0}, and {expected:N0} were expected");
        }
    }

    /// <summary>Something that must hold.</summary>
    public void Demand(bool holds, string what, string detail)
    {
        Note(what, detail);
        if (!holds)
        {
            broken.Add($"{what}: {detail}");
        }
    }

    /// <summary>The proof did not come to its end.</summary>
    public void Fail(string why) => broken.Add(why);

    public IEnumerable<string> Lines => lines.Concat(broken.Select(reason => $"  !! {reason}"));
}
