namespace EventBus.Proof;

/// <summary>
/// Checks that follow-up events are sent if the handler succeeds, always with the same ids, and never if it fails.
/// </summary>
internal static class UnconfirmedEventCheck
{
    /// <param name="findings">Receives the findings.</param>
    /// <param name="published">All events that were found on the backend.</param>
    /// <param name="failedRuns">The attempts that threw.</param>
    /// <param name="succeeding">The events whose handler finally succeeds.</param>
    /// <param name="committing">
    /// The succeeding events whose follow-up events must all come from one attempt, because they are committed with it.
    /// </param>
    /// <param name="each">The number of events that each handler publishes.</param>
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
        findings.Note("repetitions of these events", published.Count - published.Select(child => child.Id).Distinct().Count());
        findings.None(
            "ghosts: of a failing handler",
            published.Where(child => !succeeding.Contains(child.Parent)).Select(child => child.Id));
        findings.None(
            "ghosts: of a failed attempt",
            published.Where(child => failedRuns.Contains(child.Run)).Select(child => child.Id).Distinct());
        findings.None(
            "lost after success",
            succeeding.Where(parent => byParent[parent].Select(child => child.Ordinal).Distinct().Count() != each));
        findings.None(
            "ids that differ between attempts",
            succeeding.Where(parent => byParent[parent].Select(child => child.Id).Distinct().Count() > each));
        findings.None("ids used twice", published.GroupBy(child => child.Id)
            .Where(group => group.Select(child => (child.Parent, child.Ordinal)).Distinct().Count() > 1)
            .Select(group => group.Key));
        findings.None(
            "committed events of two attempts",
            committing.Where(parent => byParent[parent].Select(child => child.Run).Distinct().Count() > 1));
    }
}
