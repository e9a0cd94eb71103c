namespace EventBus;

/// <summary>Holds what one round of trimming has found.</summary>
internal sealed class RedisTrimResults
{
    /// <summary>The streams that could not be trimmed, each with the error.</summary>
    public Dictionary<string, string> Failures { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// The groups with a problem, each with the number of events that were deleted before the group had read them:
    /// 0 for a group that is only idle.
    /// </summary>
    public Dictionary<(string Stream, string Group), long> GroupProblems { get; } = [];

    /// <summary>
    /// The streams that no group reads, each with its length and the number of entries that were cut off recently for
    /// that reason.
    /// </summary>
    public Dictionary<string, (long Length, long CutOff)> UnreadStreams { get; } = new(StringComparer.Ordinal);

    /// <summary>The groups without an active consumer that this instance does not use.</summary>
    public HashSet<(string Stream, string Group)> InactiveGroups { get; } = [];
}
