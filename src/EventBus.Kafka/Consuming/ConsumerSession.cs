using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Consumes with one client on one thread, until it is stopped or the client cannot go on. Only this thread calls the
/// client, and no handler runs on it.
/// </summary>
internal sealed class ConsumerSession
{
    private static readonly TimeSpan MaintenancePeriod = TimeSpan.FromSeconds(1);

    private readonly ReceiverContext context;
    private readonly UnackedRecords records;
    private readonly TopicDiscovery discovery;
    private readonly ReceiverState state;
    private readonly OwnedPartitions owned;
    private readonly OffsetWriter offsets;
    private readonly RebalanceHandler rebalance;
    private readonly RecordDispatcher dispatcher;
    private readonly FlowControl flow;
    private readonly OffsetReset reset;
    private readonly StallWatch stalls;
    private IReadOnlyList<string> subscribed = [];
    private long maintainedAt;

    public ConsumerSession(ReceiverContext context, UnackedRecords records, TopicDiscovery discovery, ReceiverState state)
    {
        (this.context, this.records, this.discovery, this.state) = (context, records, discovery, state);
        owned = new OwnedPartitions(records, context.Time);
        offsets = new OffsetWriter(records, context.Time);
        rebalance = new RebalanceHandler(owned, records, context);
        dispatcher = new RecordDispatcher(owned, records, context, state);
        flow = new FlowControl(owned, records, context);
        reset = new OffsetReset(owned, records, context, state);
        stalls = new StallWatch(owned, flow, reset, context);
        maintainedAt = context.Time.GetTimestamp();
    }

    /// <inheritdoc cref="RebalanceHandler.Joined"/>
    public TaskCompletionSource Joined
    {
        init => rebalance.Joined = value;
    }

    /// <summary>
    /// Runs until it is stopped, or until the bus takes no more events and has settled what it has taken: then the
    /// other instances get the partitions, even if the stop of this instance takes longer. Blocks its thread.
    /// </summary>
    /// <param name="started">Runs when the client has subscribed.</param>
    /// <param name="end">Ends it, after the handlers that run had the time of a revocation.</param>
    /// <param name="stop">Stops it without that wait. Cancels <paramref name="end"/> too.</param>
    /// <exception cref="KafkaException">The client cannot go on.</exception>
    /// <exception cref="InvalidOperationException">A partition stands still.</exception>
    public void Run(Action started, CancellationToken end, CancellationToken stop)
    {
        var consumer = Build();
        try
        {
            Subscribe(consumer);
            started();
            while (!end.IsCancellationRequested && !records.IsDrained)
            {
                Turn(consumer);
            }
        }
        finally
        {
            rebalance.IsClosing = !end.IsCancellationRequested || stop.IsCancellationRequested;
            Close(consumer);
        }
    }

    private IConsumer<byte[]?, byte[]?> Build()
    {
        var config = context.Connector.Settings.ForConsumer(context.Group, context.Subscription.Concurrency);
        return new ConsumerBuilder<byte[]?, byte[]?>(config)
            .SetPartitionsAssignedHandler((_, partitions) => rebalance.Assigned(partitions))
            .SetPartitionsRevokedHandler((client, partitions) => rebalance.Revoked(client, partitions))
            .SetPartitionsLostHandler((client, partitions) => rebalance.Lost(client, partitions))
            .SetErrorHandler((_, error) => state.Events.Report(error))
            .SetLogHandler((_, message) => state.Events.Log(message))
            .Build();
    }

    private void Turn(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (!ReferenceEquals(subscribed, discovery.Topics))
        {
            Subscribe(consumer);
        }

        var timeout = flow.WaitForRoom(consumer);
        try
        {
            if (consumer.Consume(timeout) is { } result)
            {
                state.Worked(result.Topic);
                dispatcher.Take(result);
            }
        }
        catch (ConsumeException exception) when (!exception.Error.IsFatal)
        {
            Handle(consumer, exception);
        }

        offsets.StoreIfDue(consumer);
        if (context.Time.GetElapsedTime(maintainedAt) >= MaintenancePeriod)
        {
            maintainedAt = context.Time.GetTimestamp();
            flow.LimitUncommitted(consumer);
            reset.ContinueIfDue(consumer);
            stalls.Check(consumer);
        }
    }

    private void Subscribe(IConsumer<byte[]?, byte[]?> consumer)
    {
        subscribed = discovery.Topics;
        consumer.Subscribe(subscribed);
    }

    private void Handle(IConsumer<byte[]?, byte[]?> consumer, ConsumeException exception)
    {
        if (exception.Error.Code is ErrorCode.Local_AutoOffsetReset or ErrorCode.Local_NoOffset or ErrorCode.OffsetOutOfRange
            && exception.ConsumerRecord is { } at)
        {
            reset.Add(consumer, at.TopicPartition);
            return;
        }

        if (KafkaErrors.IsMoving(exception))
        {
            // The group is on another broker, or is being loaded, and the client does not ask for its positions again.
            reset.AddAllUnread();
        }

        state.Failed(exception.ConsumerRecord?.Topic, exception);
    }

    /// <summary>Leaves the group after the positions are stored. Never throws.</summary>
    private void Close(IConsumer<byte[]?, byte[]?> consumer)
    {
        try
        {
            offsets.StoreMoved(consumer);
            consumer.Close();
        }
        catch (Exception)
        {
            // The group finds out by itself that this member has gone.
        }

        rebalance.EndAll();
        if (!offsets.TryFinish())
        {
            context.Log.NotDisposed($"consumer of {context.Name}", OffsetWriter.FinishTimeout);
            return;
        }

        try
        {
            consumer.Dispose();
        }
        catch (Exception)
        {
            // There is nothing left to do with it.
        }
    }
}
