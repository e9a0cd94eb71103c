namespace EventBus;

/// <summary>The offsets of the clocks at the time of a check of <see cref="SqlClock"/>.</summary>
/// <param name="MachineOffset">The offset of the machine's clock, in ticks.</param>
/// <param name="ClockOffset">The offset of the clock of the database, in ticks.</param>
/// <param name="Elapsed">The time of the monotonic clock at the check.</param>
internal sealed record SqlClockCheck(long MachineOffset, long ClockOffset, TimeSpan Elapsed)
{
    /// <summary>
    /// Offsets that differ by fewer ticks count as equal: a thread may be suspended between the reads of the two
    /// clocks.
    /// </summary>
    public static readonly long Slack = TimeSpan.FromSeconds(5).Ticks;

    /// <summary>The time of the clock of the database at the check, in ticks.</summary>
    public long Time => ClockOffset + Elapsed.Ticks;

    /// <summary>True if two offsets count as different.</summary>
    public static bool IsApart(long one, long other) => Math.Abs(one - other) > Slack;
}
