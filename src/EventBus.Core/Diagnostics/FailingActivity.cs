namespace EventBus.Transports;

/// <summary>
/// Contains the state of an activity of <see cref="Outage"/> that fails, or that failed recently. Times are timestamps
/// of the clock, unless they have another type.
/// </summary>
internal sealed class FailingActivity
{
    /// <summary>The wall clock time of the first failure, for the log.</summary>
    public required DateTimeOffset StartTime { get; init; }

    public required long StartedAt { get; init; }

    /// <summary>The types of the exceptions since the first failure.</summary>
    public HashSet<Type> ExceptionTypes { get; } = [];

    /// <summary>True if at least one failure was logged in full.</summary>
    public bool IsLoggedInFull { get; set; }

    public long Failures { get; set; }

    public long FailedAt { get; set; }

    /// <summary>The time at which the activity succeeded again; null while it fails.</summary>
    public long? EndedAt { get; set; }

    public long? EndLoggedAt { get; set; }
}
