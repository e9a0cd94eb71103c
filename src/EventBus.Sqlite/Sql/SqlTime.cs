namespace EventBus;

/// <summary>Times as databases keep them: UTC ticks.</summary>
internal static class SqlTime
{
    /// <summary>The end of a span; the end of time where there is none.</summary>
    public static DateTimeOffset Plus(this DateTimeOffset time, TimeSpan span) => span >= DateTimeOffset.MaxValue - time ? DateTimeOffset.MaxValue : time + span;

    public static DateTimeOffset? ToTime(this long? ticks) => ticks is >= 0 and <= 3_155_378_975_999_999_999 ? new DateTimeOffset(ticks.Value, TimeSpan.Zero) : null;
}
