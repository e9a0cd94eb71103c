using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Holds the content of a partition and what was done with it, as plain collections.</summary>
internal sealed class PartitionModel(KafkaPartition period)
{
    // The number of records before the current period.
    private int start;

    public KafkaPartition Period { get; private set; } = period;

    /// <summary>The offsets of the records, with gaps.</summary>
    public List<long> Log { get; } = [];

    /// <summary>The number of records that were received.</summary>
    public int Read { get; set; }

    /// <summary>The position that the group has stored.</summary>
    public long Stored { get; private set; }

    /// <summary>The deliveries that are taken and can be settled, by offset.</summary>
    public Dictionary<long, Delivery> Current { get; } = [];

    public HashSet<long> Handled { get; } = [];

    public HashSet<long> Delivered { get; } = [];

    /// <summary>The offsets that were acknowledged in the current period.</summary>
    public HashSet<long> HandledInPeriod { get; } = [];

    /// <summary>The position that must be stored: behind what is handled without a gap.</summary>
    public long ExpectedStored
    {
        get
        {
            var position = start;
            while (position < Read && (HandledInPeriod.Contains(Log[position]) || !Delivered.Contains(Log[position])))
            {
                position++;
            }

            return position == 0 ? 0 : Log[position - 1] + 1;
        }
    }

    public void Store(RecordPosition watermark)
    {
        Assert.True(watermark.NextOffset >= Stored, "a stored position never goes back");
        Assert.Equal(1, watermark.LeaderEpoch);
        Stored = watermark.NextOffset;
    }

    public void Restart(KafkaPartition next)
    {
        Period = next;
        Current.Clear();
        HandledInPeriod.Clear();
        start = Log.FindIndex(offset => offset >= Stored) is >= 0 and var index ? index : Log.Count;
        Read = start;
    }
}
