namespace EventBus;

/// <summary>Compares durations and times that may be missing.</summary>
internal static class TimeMath
{
    /// <summary>Returns the shorter of two durations; infinite durations are the longest.</summary>
    public static TimeSpan Shorter(TimeSpan first, TimeSpan second)
    {
        if (first == Timeout.InfiniteTimeSpan)
        {
            return second;
        }

        return second == Timeout.InfiniteTimeSpan || first < second ? first : second;
    }

    /// <summary>Returns the earlier of two times; if one is null, the other one.</summary>
    public static DateTimeOffset? Earlier(DateTimeOffset? first, DateTimeOffset? second) =>
        first is null || second < first ? second : first;
}
