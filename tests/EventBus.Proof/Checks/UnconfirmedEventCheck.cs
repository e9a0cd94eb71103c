namespace EventBus.Proof;

/// <summary>
/// Follow-up events are sent if the handler succeeds, always with the same ids, and never if it fails.
/// </summary>
internal static class UnconfirmedEventCheck
{
    /// <param name="findings">Where the findings go.</param>
    /// <param name="published">Everything that was found on the backend.</param>
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
        findings.Note("events of handlers on the backend", published.Count);
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
