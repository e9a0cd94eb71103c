using System.Threading.Channels;
using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription: creates the parts of the receive path, and runs one consumer after another
/// until it is disposed.
/// </summary>
/// <remarks>
/// A record moves in one direction. <see cref="ConsumerSession"/> polls it, <see cref="RecordDispatcher"/> converts it,
/// <see cref="UnackedRecords"/> holds it and offers its delivery to the bus. The settler of the delivery (<see
/// cref="KafkaPartition"/>) marks it as done, and <see cref="OffsetWriter"/> stores the position behind all that is
/// done without a gap.
/// </remarks>
internal sealed class KafkaReceiver : Receiver
{
    // A member that leaves answers within milliseconds; without a broker the client waits for it.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    private readonly ReceiverContext context;
    private readonly UnackedRecords records;
    private readonly DeliveryReader reader;
    private readonly ReceiverState state;
    private readonly ConsumerSupervisor supervisor;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private Task running = Task.CompletedTask;
    private Task? closing;

    private KafkaReceiver(ReceiverContext context)
    {
        this.context = context;
        records = new UnackedRecords(context.Capacity, context.Subscription.Ordered, 2 * context.Options.MaxUncommitted);
        reader = new DeliveryReader(records);
        state = new ReceiverState(context);
        supervisor = new ConsumerSupervisor(context, records, state);
    }

    public Subscription Subscription => context.Subscription;

    /// <summary>The topics that it reads now.</summary>
    public IReadOnlyList<string> Topics => supervisor.Topics;

    /// <summary>True after the intake was stopped or the receiver was disposed.</summary>
    public bool IsStopping => records.IsIntakeStopped;

    /// <summary>Why it receives nothing, as a sentence for operators; null if it works.</summary>
    public string? Failure => supervisor.Failure;

    /// <summary>The warning for operators, as a sentence; null for none.</summary>
    public string? Warning => state.Warning;

    /// <summary>The reports about records that were gone before they were read.</summary>
    public LostRanges Lost => state.Lost;

    public override ChannelReader<Delivery> Deliveries => reader;

    /// <summary>
    /// Opens a receiver. Completes when the positions of the group are set: everything that is published afterwards is
    /// received. If the cluster is unreachable, that is an error only if the topology says so.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="connector">The clients.</param>
    /// <param name="names">The topics and the group.</param>
    /// <param name="joinWait">Waits until the receiver has partitions.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">The cluster refuses the subscription, or is unreachable.</exception>
    public static async Task<KafkaReceiver> OpenAsync(
        Subscription subscription,
        KafkaConnector connector,
        KafkaTopology names,
        JoinWait joinWait,
        CancellationToken cancellationToken)
    {
        var receiver = new KafkaReceiver(new ReceiverContext(subscription, connector, names));
        receiver.running = receiver.supervisor.RunAsync(receiver.stop.Token);
        try
        {
            if (await receiver.supervisor.WaitUntilLiveAsync(cancellationToken))
            {
                await joinWait.WaitAsync(receiver.supervisor.Joined, cancellationToken);
            }

            return receiver;
        }
        catch
        {
            await receiver.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Returns the partitions that this instance owns, each with the offset of the next record that it will receive, or
    /// -1 if that is unknown; and the number of events that it has received and that are not settled.
    /// </summary>
    public (IReadOnlyDictionary<TopicPartition, long> Positions, long Unsettled) ReadProgress()
    {
        var (positions, unsettled) = records.ReadProgress();
        return (positions.ToDictionary(each => new TopicPartition(each.Topic, each.Number), each => each.Next), unsettled);
    }

    /// <inheritdoc cref="ConsumerSupervisor.ReplayAsync"/>
    public Task<long> ReplayAsync(ReplayStart start, CancellationToken cancellationToken) =>
        supervisor.ReplayAsync(start, cancellationToken);

    public override ValueTask StopIntakeAsync()
    {
        reader.Complete();
        return ValueTask.CompletedTask;
    }

    public override async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closing ??= CloseAsync();
        }

        await closing;
    }

    private async Task CloseAsync()
    {
        reader.Complete();
        context.Stop();
        await stop.CancelAsync();
        records.InterruptWait();
        await running.WaitAsync(CloseTimeout, context.Time).Quietly();
        if (!running.IsCompleted)
        {
            context.Log.NotDisposed($"consumer of {context.Name}", CloseTimeout);
            return;
        }

        records.Dispose();
        stop.Dispose();
    }
}
