using EventBus.Transports;

namespace EventBus;

/// <summary>
/// A log as Kafka keeps it: events are put into partitions by key; each partition has one owner at a time, and a
/// committed offset that moves over contiguous acknowledgements only.
/// </summary>
/// <remarks>
/// When a partition changes hands its epoch ends: what is in flight is lost, what is settled late does nothing, and the
/// next owner starts at the committed offset.
/// </remarks>
internal sealed class ScriptedLog(int partitions)
{
    private readonly Lock gate = new();
    private readonly Partition[] parts = [.. Enumerable.Range(0, partitions).Select(_ => new Partition())];

    /// <summary>Acknowledgements that came after their epoch had ended: the bus must make none.</summary>
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

    /// <summary>Gives a partition to an owner, the same or another: a new epoch begins.</summary>
    public void Assign(int partition, Connection owner)
    {
        Epoch? ended;
        lock (gate)
        {
            ended = parts[partition].Current;
            parts[partition].Current = null;
        }

        // Outside the lock: the bus settles what it cancels.
        ended?.Lost.Cancel();
        lock (gate)
        {
            var part = parts[partition];
            part.Current = new Epoch(this, partition, owner);
            for (var offset = part.Committed; offset < part.Log.Count; offset++)
            {
                part.Current.HandOut(part.Log[offset], offset);
            }
        }
    }

    private void Append(Envelope envelope)
    {
        lock (gate)
        {
            var part = parts[PartitionOf(envelope.Key)];
            part.Log.Add(envelope);
            part.Current?.HandOut(envelope, part.Log.Count - 1);
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

    /// <summary>One consumer of the group.</summary>
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

        public void HandOut(Envelope envelope, int offset) =>
            owner.Receiver!.HandOut(new Delivery(envelope, this, offset, lost: Lost.Token));

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
