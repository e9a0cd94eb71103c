using EventBus.Transports;

namespace EventBus;

/// <summary>
/// A partitioned log like Kafka: the key of an event selects its partition. Each partition has one owner at a time, and
/// a committed offset that advances over contiguous acknowledgements only.
/// </summary>
/// <remarks>
/// A change of the owner ends the epoch of a partition: deliveries in flight are lost, late settlements have no effect,
/// and the next owner starts at the committed offset.
/// </remarks>
internal sealed class ScriptedLog(int partitions)
{
    private readonly Lock gate = new();
    private readonly Partition[] parts = [.. Enumerable.Range(0, partitions).Select(_ => new Partition())];

    /// <summary>The number of acknowledgements after the end of their epoch: the bus must make none.</summary>
    public int LateAcks { get; private set; }

    public Journal Commits { get; } = new();

    public Connection Connect() => new(this);

    public int PartitionOf(string? key) => (key ?? "").Sum(c => c) % parts.Length;

    public int Committed(int partition)
    {
        lock (gate)
        {
            return parts[partition].Committed;
        }
    }

    /// <summary>Assigns a partition to the same or another owner, and begins a new epoch.</summary>
    public void Assign(int partition, Connection owner)
    {
        Epoch? ended;
        lock (gate)
        {
            ended = parts[partition].Current;
            parts[partition].Current = null;
        }

        // Cancelled outside the lock, because the bus settles the cancelled deliveries.
        ended?.Lost.Cancel();
        lock (gate)
        {
            var part = parts[partition];
            part.Current = new Epoch(this, partition, owner);
            for (var offset = part.Committed; offset < part.Log.Count; offset++)
            {
                part.Current.Deliver(part.Log[offset], offset);
            }
        }
    }

    private void Append(Envelope envelope)
    {
        lock (gate)
        {
            var part = parts[PartitionOf(envelope.Key)];
            part.Log.Add(envelope);
            part.Current?.Deliver(envelope, part.Log.Count - 1);
        }
    }

    private void Acknowledge(Epoch epoch, int offset)
    {
        lock (gate)
        {
            var part = parts[epoch.Partition];
            if (part.Current != epoch)
            {
                LateAcks++;
                return;
            }

            epoch.Done.Add(offset);
            while (epoch.Done.Remove(part.Committed))
            {
                part.Committed++;
            }

            Commits.Add($"{epoch.Partition}:{part.Committed}");
        }
    }

    private void Restart(Epoch epoch)
    {
        lock (gate)
        {
            if (parts[epoch.Partition].Current != epoch)
            {
                return;
            }
        }

        Assign(epoch.Partition, epoch.Owner);
    }

    /// <summary>A consumer of the group.</summary>
    internal sealed class Connection(ScriptedLog log) : ScriptedTransport
    {
        public ScriptedReceiver? Receiver { get; private set; }

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
        {
            for (var i = 0; i < batch.Length; i++)
            {
                log.Append(batch.Span[i]);
                outcomes.Span[i] = PublishOutcome.Accepted;
            }

            return ValueTask.CompletedTask;
        }

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            ValueTask.FromResult<Receiver>(Receiver = new ScriptedReceiver(_ => { }));
    }

    private sealed class Partition
    {
        public List<Envelope> Log { get; } = [];

        public int Committed { get; set; }

        public Epoch? Current { get; set; }
    }

    private sealed class Epoch(ScriptedLog log, int partition, Connection owner) : IDeliverySettler
    {
        public int Partition => partition;

        public Connection Owner => owner;

        public CancellationTokenSource Lost { get; } = new();

        public HashSet<int> Done { get; } = [];

        public void Deliver(Envelope envelope, int offset) =>
            owner.Receiver!.Deliver(new Delivery(envelope, this, offset, lost: Lost.Token));

        public ValueTask AckAsync(in Delivery delivery)
        {
            log.Acknowledge(this, (int)delivery.Token);
            return ValueTask.CompletedTask;
        }

        public ValueTask ReleaseAsync(in Delivery delivery)
        {
            log.Restart(this);
            return ValueTask.CompletedTask;
        }
    }
}
