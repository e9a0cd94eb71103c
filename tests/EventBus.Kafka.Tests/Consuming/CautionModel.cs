using System.Globalization;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Cautious partitions with the positions that are committed, next to the records under test. Each step does one thing
/// that can happen, and checks what must hold.
/// </summary>
internal sealed class CautionModel : IDisposable
{
    private const int Partitions = 2;

    private readonly Random random;
    private readonly int cautiousCapacity;
    private readonly bool ordered;
    private readonly UnackedRecords records;
    private readonly KafkaPartition[] partitions;
    private readonly long[] next = new long[Partitions];
    private readonly long[] committed = new long[Partitions];
    private readonly List<long>[] events = [[], []];
    private readonly List<Delivery> deliveries = [];

    public CautionModel(Random random, int capacity, int cautiousCapacity, bool ordered)
    {
        (this.random, this.cautiousCapacity, this.ordered) = (random, cautiousCapacity, ordered);
        records = new UnackedRecords(capacity, ordered);
        partitions = [.. Enumerable.Range(0, Partitions).Select(number => records.Begin("topic", number, isHeld: true))];
        foreach (var partition in partitions)
        {
            records.Admit(partition, uncleanEnds: 1);
        }
    }

    public void Step()
    {
        switch (random.Next(10))
        {
            case < 3:
                Receive(random.Next(Partitions));
                break;
            case < 6:
                Take();
                break;
            case < 8:
                Settle(records.Acknowledge);
                break;
            case 8:
                Settle(Release);
                break;
            default:
                Commit(succeeds: random.Next(4) > 0);
                break;
        }

        foreach (var (number, offset) in deliveries.Select(PlaceOf))
        {
            var before = events[number].Count(each => each >= committed[number] && each < offset);
            Assert.True(before < cautiousCapacity, $"an event is begun, and {before} before it are not committed");
        }
    }

    /// <summary>Handles and commits everything, and checks that nothing is left.</summary>
    public void Finish()
    {
        for (var turn = 0; turn < 1_000 && !next.SequenceEqual(committed); turn++)
        {
            Take();
            while (deliveries.Count > 0)
            {
                Settle(records.Acknowledge);
            }

            Commit(succeeds: true);
        }

        Assert.Equal(next, committed);
    }

    public void Dispose() => records.Dispose();

    private static (int Partition, long Offset) PlaceOf(Delivery delivery)
    {
        var id = delivery.Envelope.Id.Split('/');
        return (int.Parse(id[0], CultureInfo.InvariantCulture), long.Parse(id[1], CultureInfo.InvariantCulture));
    }

    private void Receive(int number)
    {
        var offset = next[number]++;
        var attributes = new EnvelopeAttributes { Id = $"{number}/{offset}", Name = "order.placed" };
        var isSubscribed = random.Next(4) > 0;
        if (isSubscribed)
        {
            events[number].Add(offset);
        }

        Assert.True(records.Receive(partitions[number], offset, null, isSubscribed ? new Envelope(attributes, []) : null));
    }

    private void Take()
    {
        if (records.TryTake(out var delivery))
        {
            deliveries.Add(delivery);
        }
    }

    private void Settle(Action<KafkaPartition, long> settle)
    {
        if (deliveries.Count > 0)
        {
            var index = random.Next(deliveries.Count);
            var delivery = deliveries[index];
            deliveries.RemoveAt(index);
            settle(partitions[PlaceOf(delivery).Partition], delivery.Token);
        }
    }

    private void Release(KafkaPartition partition, long token)
    {
        records.Release(partition, token);
        if (ordered)
        {
            deliveries.RemoveAll(each => PlaceOf(each).Partition == partition.Number);
        }
    }

    private void Commit(bool succeeds)
    {
        var moved = records.DrainMoved();
        if (succeeds)
        {
            foreach (var (partition, watermark) in moved)
            {
                committed[partition.Number] = watermark.NextOffset;
            }
        }

        if (moved.Count > 0)
        {
            records.EndCommit([.. moved.Select(each => each.Partition)], succeeds);
        }
    }
}
