namespace EventBus.Transports;

/// <summary>
/// Contains the state of an activity of <see cref="Outage"/> that fails, or that failed recently. The times of the type
/// <see cref="long"/> are timestamps of the clock.
/// </summary>
internal sealed class FailingActivity
{
    /// <summary>The wall clock time of the first failure, for the log.</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>The time of the first failure.</summary>
    public required long StartedAt { get; init; }

    /// <summary>The types of the exceptions since the first failure.</summary>
    public HashSet<Type> ExceptionTypes { get; } = [];

    /// <summary>True if at least one failure was logged in full.</summary>
    public bool IsLoggedInFull { get; set; }

    /// <summary>The number of failures since the first.</summary>
    public long Failures { get; set; }

    /// <summary>The time of the last failure.</summary>
    public long FailedAt { get; set; }

    /// <summary>The time at which the activity succeeded again; null while it fails.</summary>
    public long? EndedAt { get; set; }

    /// <summary>The time of the last success that was logged; null for none.</summary>
    public long? EndLoggedAt { get; set; }
}
