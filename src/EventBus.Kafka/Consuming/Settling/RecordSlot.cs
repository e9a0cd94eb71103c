using EventBus.Transports;

namespace EventBus;

/// <summary>Represents one record in an <see cref="OffsetRing"/>.</summary>
internal struct RecordSlot
{
    /// <summary>The offset of the record in its partition.</summary>
    public long Offset;

    /// <summary>The epoch of the leader that wrote the record; null if the broker did not say it.</summary>
    public int? LeaderEpoch;

    /// <summary>The event; null when it is no longer needed.</summary>
    public Envelope? Envelope;

    /// <summary>
    /// The number of deliveries of this record that were offered. A settlement of an earlier one is ignored.
    /// </summary>
    public int Offered;

    /// <summary>The number of earlier deliveries that the bus may have begun.</summary>
    public int EarlierDeliveries;

    /// <summary>The state.</summary>
    public SlotState State;
}
