using EventBus.Stores;

namespace EventBus;

/// <summary>Holds a stored event, and the values by which the indexes of the table find it.</summary>
internal sealed class FailedEntry(FailedEvent failed, long order)
{
    public FailedEvent Event { get; set; } = failed;

    /// <summary>
    /// A number that increases with each entry: entries that are due at the same time run in the order of their
    /// arrival.
    /// </summary>
    public long Order { get; } = order;

    /// <summary>The line of the entry; null if it is in none.</summary>
    public FailureLine? Line { get; set; }

    /// <summary>The node of the entry in its line; null if it is in none.</summary>
    public LinkedListNode<FailedEntry>? LineNode { get; set; }

    /// <summary>True if the entry is the first of its line, or in no line.</summary>
    public bool IsHead => Line is null || LineNode == Line.Entries.First;

    public bool IsClaimed => Event.Claim != 0;

    public bool IsDead => Event.Status == FailedEventStatus.Dead;

    /// <summary>The time at which the entry may run. Valid only while it is scheduled.</summary>
    public DateTimeOffset ScheduledAt { get; set; }

    /// <summary>True while the entry is in the schedule of its subscription.</summary>
    public bool IsScheduled { get; set; }

    /// <summary>
    /// The time at which the alert may be claimed: at once for a new alert, and at the end of the lease for a claimed
    /// one. Valid only while the entry needs an alert.
    /// </summary>
    public DateTimeOffset AlertAt { get; set; }
}
