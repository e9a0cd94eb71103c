using EventBus.Stores;

namespace EventBus;

/// <summary>An event that the store keeps, and where it stands.</summary>
internal sealed class FailedEntry(FailedEvent failed, long order)
{
    public FailedEvent Event { get; set; } = failed;

    /// <summary>Rises with each entry: what is due at the same time goes in the order in which it came.</summary>
    public long Order { get; } = order;

    public FailureLine? Line { get; set; }

    public LinkedListNode<FailedEntry>? Place { get; set; }

    /// <summary>Nothing stands before it.</summary>
    public bool IsHead => Line is null || Place == Line.Entries.First;

    public bool IsClaimed => Event.Claim != 0;

    public bool IsDead => Event.Status == FailedEventStatus.Dead;

    public DateTimeOffset ScheduledAt { get; set; }

    public bool IsScheduled { get; set; }

    /// <summary>When its alert is to be sent (again); meaningful while it needs one.</summary>
    public DateTimeOffset AlertAt { get; set; }
}
