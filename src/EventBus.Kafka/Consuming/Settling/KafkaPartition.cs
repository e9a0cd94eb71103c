using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Represents one period in which this instance owns a partition, with the records that it has received in it. It
/// settles their deliveries. A partition that is assigned again has a new object, so that a settlement from an earlier
/// period changes nothing.
/// </summary>
/// <remarks>Everything but the settlement and the names is protected by the lock of the owner.</remarks>
/// <param name="owner">Holds the records of all partitions.</param>
/// <param name="topic">The topic.</param>
/// <param name="number">The number of the partition in its topic.</param>
internal sealed class KafkaPartition(UnackedRecords owner, string topic, int number) : IDeliverySettler
{
    // A token holds the number of the record, and above it how often the record was offered.
    private const int NumberBits = 40;

    public string Topic => topic;

    public int Number => number;

    /// <summary>The records that are received and not yet stored as done.</summary>
    public OffsetRing Ring { get; } = new();

    /// <summary>
    /// True until it is known whether the owner before has ended properly: its records wait. Default false.
    /// </summary>
    public bool IsHeld { get; set; }

    /// <summary>
    /// The number of the next events that an earlier owner may have begun, and which may have ended its process.
    /// </summary>
    public int Redelivered { get; set; }

    /// <summary>The number of earlier deliveries of these events, as far as it is known.</summary>
    public int EarlierDeliveries { get; set; }

    /// <summary>The replay to which its first records belong; the default value for none.</summary>
    public ReplayRecord Replay { get; set; }

    /// <summary>True while its records are offered to the bus.</summary>
    public bool IsOffering { get; set; } = true;

    /// <summary>True when the period has ended.</summary>
    public bool HasEnded { get; set; }

    /// <summary>True if its watermark has moved since it was last stored.</summary>
    public bool HasMoved { get; set; }

    /// <summary>
    /// The number of the first record that may wait. The records before it are offered, taken or done.
    /// </summary>
    public long NextToOffer { get; set; }

    /// <summary>True while it is in the line of the partitions with records that wait.</summary>
    public bool IsInLine { get; set; }

    /// <summary>The number of records that wait.</summary>
    public int Waiting { get; set; }

    /// <summary>The number of records that the bus has taken and not settled.</summary>
    public int Taken { get; set; }

    /// <summary>The offset of the last record that was received; -1 if there is none.</summary>
    public long LastOffset { get; set; } = -1;

    /// <summary>The offset at which the client has reached the end of the log; -1 if it has not yet.</summary>
    public long End { get; set; } = -1;

    /// <summary>
    /// The first value of <see cref="End"/>; -1 if there is none. An earlier owner has begun no event behind it.
    /// </summary>
    public long FirstEnd { get; set; } = -1;

    /// <summary>
    /// True while an event that ends its process must be found soon: few events may be begun behind the committed
    /// position.
    /// </summary>
    public bool IsCautious { get; set; }

    /// <summary>In a cautious partition, the number of events that are acknowledged and not committed.</summary>
    public int Uncommitted { get; set; }

    /// <summary>Those of <see cref="Uncommitted"/> that the running commit includes.</summary>
    public int Committing { get; set; }

    /// <summary>The offset of the next record as far as it is known; -1 if it is not.</summary>
    public long Next => Math.Max(End, LastOffset >= 0 ? LastOffset + 1 : -1);

    /// <summary>The epoch of the leader of the last record; null if it is unknown.</summary>
    public int? LastLeaderEpoch { get; set; }

    /// <summary>Cancelled when the deliveries that were taken so far are lost.</summary>
    public CancellationTokenSource Lost { get; set; } = new();

    public ValueTask AckAsync(in Delivery delivery)
    {
        owner.Acknowledge(this, delivery.Token);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        owner.Release(this, delivery.Token);
        return ValueTask.CompletedTask;
    }

    /// <summary>Gets the token of the current delivery of a record.</summary>
    /// <param name="record">The number of the record.</param>
    public long TokenOf(long record) => ((long)Ring[record].Offered << NumberBits) | record;

    /// <summary>Finds the record whose current delivery has a token, and which the bus has taken.</summary>
    /// <returns>False if the delivery is settled, lost or from before a restart.</returns>
    public bool TryFind(long token, out long record)
    {
        record = token & ((1L << NumberBits) - 1);
        return !HasEnded && Ring.Contains(record) && Ring[record].State == SlotState.Taken && TokenOf(record) == token;
    }

    public override string ToString() => $"{topic} [{number}]";
}
