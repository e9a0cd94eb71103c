using EventBus.Stores;

namespace EventBus;

/// <summary>Holds a stored event and its position in the table's indexes.</summary>
internal sealed class FailedEntry(FailedEvent failed, long order)
{
    public FailedEvent Event { get; set; } = failed;

    /// <summary>
    /// A number that increases with each entry: entries that are due at the same time run in the order of their
    /// arrival.
    /// </summary>
    public long Order { get; } = order;

    public FailureLine? Line { get; set; }

    public LinkedListNode<FailedEntry>? Place { get; set; }

    /// <summary>True if no entry precedes it in its line.</summary>
    public bool IsHead => Line is null || Place == Line.Entries.First;

    public bool IsClaimed => Event.Claim != 0;

    public bool IsDead => Event.Status == FailedEventStatus.Dead;

    public DateTimeOffset ScheduledAt { get; set; }

    public bool IsScheduled { get; set; }

    /// <summary>
    /// The time at which the alert is due: at once for a new one, at the end of the lease for a claimed one. Valid only
    /// while the entry needs an alert.
    /// </summary>
    public DateTimeOffset AlertAt { get; set; }
}
