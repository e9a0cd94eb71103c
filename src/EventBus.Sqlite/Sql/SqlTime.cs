namespace EventBus;

/// <summary>Converts times to and from their database format: UTC ticks.</summary>
internal static class SqlTime
{
    /// <summary>Adds a time span; returns <see cref="DateTimeOffset.MaxValue"/> if the sum is too large.</summary>
    public static DateTimeOffset Plus(this DateTimeOffset time, TimeSpan span) =>
        span >= DateTimeOffset.MaxValue - time ? DateTimeOffset.MaxValue : time + span;

    /// <summary>Converts ticks to a time; returns null for NULL and for ticks that are no time.</summary>
    public static DateTimeOffset? ToTime(this long? ticks) =>
        ticks is >= 0 and <= SqlRow.MaxTicks ? new DateTimeOffset(ticks.Value, TimeSpan.Zero) : null;
}
