namespace EventBus.Proof;

/// <summary>One event that a handler published, as it was found on the wire.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Parent">The number of the event whose handler published it.</param>
/// <param name="Ordinal">Which of the handler's events it is.</param>
/// <param name="Run">The run of the handler that published it.</param>
internal readonly record struct Published(string Id, long Parent, int Ordinal, long Run);

/// <summary>
/// What a handler publishes leaves if it succeeds, with the same ids however often it is sent, and never if it fails.
/// </summary>
internal static class GhostCheck
{
    /// <param name="findings">Where the findings go.</param>
    /// <param name="published">Everything that was found on the wire.</param>
    /// <param name="failedRuns">The runs that threw.</param>
    /// <param name="succeeding">The events whose handler succeeds in the end.</param>
    /// <param name="committing">
    /// Of these, those whose follow-up events must all be of one run, because they are committed with it.
    /// </param>
    /// <param name="each">How many events each handler publishes.</param>
    public static void Run(
        Findings findings,
        IReadOnlyList<Published> published,
        IReadOnlySet<long> failedRuns,
        IReadOnlySet<long> succeeding,
        IReadOnlySet<long> committing,
        int each)
    {
        var byParent = published.ToLookup(child => child.Parent);
        findings.Note("events of handlers on the wire", published.Count);
        findings.Note("of these repeated", published.Count - published.Select(child => child.Id).Distinct().Count());
        findings.None(
            "ghosts: of a handler that fails",
            published.Where(child => !succeeding.Contains(child.Parent)).Select(child => child.Id));
        findings.None(
            "ghosts: of a run that failed",
            published.Where(child => failedRuns.Contains(child.Run)).Select(child => child.Id).Distinct());
        findings.None(
            "lost after success",
            succeeding.Where(parent => byParent[parent].Select(child => child.Ordinal).Distinct().Count() != each));
        findings.None(
            "ids that differ between runs",
            succeeding.Where(parent => byParent[parent].Select(child => child.Id).Distinct().Count() > each));
        findings.None("ids used twice", published.GroupBy(child => child.Id)
            .Where(group => group.Select(child => (child.Parent, child.Ordinal)).Distinct().Count() > 1)
            .Select(group => group.Key));
        findings.None(
            "of two runs, though committed",
            committing.Where(parent => byParent[parent].Select(child => child.Run).Distinct().Count() > 1));
    }
}
