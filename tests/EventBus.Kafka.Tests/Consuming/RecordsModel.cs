using System.Globalization;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>
/// The log of some partitions and the positions that the group has stored for them, as plain lists, next to the records
/// under test. Each step does one thing that can happen, and checks what must hold.
/// </summary>
internal sealed class RecordsModel : IDisposable
{
    private const int Capacity = 6;
    private const int Partitions = 3;

    private readonly Random random;
    private readonly bool ordered;
    private readonly UnackedRecords records;
    private readonly PartitionModel[] partitions;

    // Every delivery that was taken, also those that are settled or lost.
    private readonly List<(PartitionModel Partition, KafkaPartition Period, Delivery Delivery)> deliveries = [];

    public RecordsModel(Random random, bool ordered)
    {
        (this.random, this.ordered) = (random, ordered);
        records = new UnackedRecords(Capacity, ordered);
        partitions = [.. Enumerable.Range(0, Partitions).Select(number => new PartitionModel(records.Begin("topic", number)))];
    }

    public void Step()
    {
        var partition = partitions[random.Next(Partitions)];
        switch (random.Next(20))
        {
            case < 6:
                Receive(partition);
                break;
            case < 12:
                Take();
                break;
            case < 17:
                Settle(ack: true);
                break;
            case 17:
                Settle(ack: false);
                break;
            case 18:
                Store();
                break;
            default:
                if (random.Next(5) == 0)
                {
                    Reassign(partition);
                }

                break;
        }

        Assert.True(records.OfferedCount <= Capacity, "no more deliveries are offered than the capacity");
    }

    /// <summary>Handles everything, and checks that nothing is left.</summary>
    public void Finish()
    {
        while (partitions.Any(partition => partition.Current.Count > 0) || records.OfferedCount > 0)
        {
            while (records.TryTake(out var delivery))
            {
                Find(delivery).Current.Add(OffsetOf(delivery), delivery);
            }

            foreach (var partition in partitions)
            {
                foreach (var taken in partition.Current.Values.ToArray())
                {
                    records.Acknowledge(partition.Period, taken.Token);
                    Accept(partition, taken);
                }
            }
        }

        Store();
        foreach (var partition in partitions)
        {
            Assert.Superset(partition.Log[..partition.Read].ToHashSet(), partition.Handled);
            Assert.Equal(partition.Read == 0 ? 0 : partition.Log[partition.Read - 1] + 1, partition.Stored);
        }
    }

    public void Dispose() => records.Dispose();

    private static long OffsetOf(Delivery delivery) =>
        long.Parse(delivery.Envelope.Id.Split('/')[1], CultureInfo.InvariantCulture);

    private PartitionModel Find(Delivery delivery) =>
        partitions[int.Parse(delivery.Envelope.Id.Split('/')[0], CultureInfo.InvariantCulture)];

    private void Receive(PartitionModel partition)
    {
        if (partition.Read == partition.Log.Count)
        {
            partition.Log.Add((partition.Log.Count == 0 ? -1 : partition.Log[^1]) + random.Next(1, 4));
        }

        var offset = partition.Log[partition.Read++];
        if (random.Next(6) == 0 && !partition.Handled.Contains(offset) && !partition.Delivered.Contains(offset))
        {
            // Not for the subscription.
            partition.Handled.Add(offset);
            Assert.True(records.Receive(partition.Period, offset, 1, envelope: null));
            return;
        }

        partition.Delivered.Add(offset);
        var attributes = new EnvelopeAttributes { Id = $"{partition.Period.Number}/{offset}", Name = "order.placed" };
        Assert.True(records.Receive(partition.Period, offset, 1, new Envelope(attributes, [])));
    }

    private void Take()
    {
        if (!records.TryTake(out var delivery))
        {
            return;
        }

        var partition = Find(delivery);
        var offset = OffsetOf(delivery);
        Assert.DoesNotContain(offset, partition.HandledInPeriod);
        if (ordered)
        {
            Assert.True(
                partition.Current.Count == 0 || partition.Current.Keys.Max() < offset,
                "in an ordered subscription no event is delivered before one that is in front of it");
        }

        Assert.False(delivery.Lost.IsCancellationRequested);
        partition.Current.Add(offset, delivery);
        deliveries.Add((partition, partition.Period, delivery));
    }

    /// <summary>Settles any delivery that was ever taken: one that is settled or lost must change nothing.</summary>
    private void Settle(bool ack)
    {
        if (deliveries.Count == 0)
        {
            return;
        }

        var (partition, period, delivery) = deliveries[random.Next(Math.Max(0, deliveries.Count - 20), deliveries.Count)];
        var offset = OffsetOf(delivery);
        var isCurrent = period == partition.Period
            && partition.Current.TryGetValue(offset, out var current) && current.Token == delivery.Token;
        if (ack)
        {
            records.Acknowledge(period, delivery.Token);
            if (isCurrent)
            {
                Accept(partition, delivery);
            }
        }
        else
        {
            records.Release(period, delivery.Token);
            if (isCurrent && ordered)
            {
                partition.Current.Clear();
            }
            else if (isCurrent)
            {
                partition.Current.Remove(offset);
            }
        }
    }

    private static void Accept(PartitionModel partition, Delivery delivery)
    {
        var offset = OffsetOf(delivery);
        partition.Current.Remove(offset);
        partition.Handled.Add(offset);
        partition.HandledInPeriod.Add(offset);
    }

    private void Store()
    {
        foreach (var (period, watermark) in records.DrainMoved())
        {
            partitions[period.Number].Store(watermark);
        }

        foreach (var partition in partitions)
        {
            // What is stored is exactly what is handled without a gap since the period began.
            Assert.Equal(partition.ExpectedStored, partition.Stored);
        }
    }

    /// <summary>The partition goes away and comes back, and is read from the stored position on.</summary>
    private void Reassign(PartitionModel partition)
    {
        var lost = partition.Current.Values.ToArray();
        records.StopOffering([partition.Period]);
        var (watermark, count) = records.End(partition.Period);
        Assert.Equal(lost.Length, count);
        if (watermark is { } moved)
        {
            partition.Store(moved);
        }

        Assert.Equal(partition.ExpectedStored, partition.Stored);
        partition.Restart(records.Begin("topic", partition.Period.Number));
    }
}
