using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>
/// Transports events through a topic exchange and one queue per subscription. Publishing and consuming use separate
/// connections, so that a blocked publisher never delays an acknowledgement.
/// </summary>
internal sealed class RabbitMqTransport(RabbitMqConnector connector) : Transport
{
    private readonly RabbitMqOptions options = connector.Options;
    private readonly List<RabbitMqReceiver> receivers = [];
    private RabbitMqStart? start;
    private RabbitMqTopology? topology;
    private RabbitMqPublisher? publisher;
    private RabbitMqBrokerDeadLetters? brokerDeadLetters;
    private RabbitMqTopologyMonitor? monitor;
    private SharedQueueLookup? lookup;
    private TimeProvider time = TimeProvider.System;
    private bool holdsConnector;

    public override TransportFeatures Features { get; } = new()
    {
        System = "rabbitmq",
        Durable = true,
        KeepsUnlistedQueues = true,
        KnowsBacklog = true,
        Ordered = true,
        Redelivers = true,
        SharesSubscriptions = true,
        ReportsUnrouted = true,
        DropsEvents = true,

        // The largest message that RabbitMQ accepts by default (max_message_size).
        MaxBodyBytes = 134_217_728,
    };

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        time = topology.TimeProvider;
        start = new RabbitMqStart(connector, topology.FailFast, time);
        this.topology = new RabbitMqTopology(topology.ServiceName, options) { Address = connector.Address };
        this.topology.CheckNames(topology.Subscriptions.Select(subscription => subscription.Name), connector.KeepsFailures);
        connector.Acquire(topology.ServiceName, time);
        holdsConnector = true;
        brokerDeadLetters = new RabbitMqBrokerDeadLetters(
            connector,
            this.topology,
            [.. topology.Subscriptions.Select(subscription => subscription.Name)],
            time);
        RabbitMqEntity[] entities = [.. topology.Subscriptions.SelectMany(this.topology.EntitiesOf)];
        var publishLoop = new PublishLoop(connector.Publishing, this.topology, options, time, connector.Log) { Targets = entities };
        publisher = new RabbitMqPublisher(publishLoop, time);
        publisher.Start();
        await start.WaitUntilReadyAsync(publisher.Opened, publisher.Failed, () => publisher.LastError, cancellationToken);
        if (publisher.IsOpen)
        {
            await start.PrepareAsync(entities, cancellationToken);
        }

        var consumed = topology.Subscriptions.Select(subscription => this.topology.QueueOf(subscription.Name))
            .ToHashSet(StringComparer.Ordinal);
        monitor = new RabbitMqTopologyMonitor(connector.Publishing, [.. RabbitMqProvisioner.Distinct(entities)], consumed, options, time);
        monitor.Start();
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) =>
        Started(publisher).PublishAsync(batch, outcomes, deadline);

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        RabbitMqReceiver receiver;
        lock (receivers)
        {
            lookup ??= new SharedQueueLookup(connector.Consuming.ConnectionWithinTimeoutAsync);
            receiver = new RabbitMqReceiver(subscription, connector, Started(topology), lookup, time);
            receivers.Add(receiver);
        }

        receiver.Start();
        await Started(start).WaitUntilReadyAsync(receiver.Opened, receiver.Failed, () => receiver.LastError, cancellationToken);
        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            var session = await connector.Publishing.ConnectionWithinTimeoutAsync(cancellationToken);
            await new SubscriptionQueues(Started(topology)).RetireAsync(session, subscription, discardWaiting);
        }
        catch (Exception exception) when (RabbitMqErrors.IsCallFailure(exception))
        {
            throw new EventBusException(
                $"RabbitMQ at {connector.Address} did not remove the queue of the subscription '{subscription}': {exception.Message} Try "
                    + "again.",
                exception);
        }
    }

    public override async ValueTask<SubscriptionQueue?> FindQueueAsync(
        string service,
        string subscription,
        CancellationToken cancellationToken)
    {
        var queues = new SubscriptionQueues(new RabbitMqTopology(service, options));
        try
        {
            var session = await connector.Publishing.ConnectionWithinTimeoutAsync(cancellationToken);
            var queue = await queues.FindAsync(session, subscription);
            return queue is null
                ? null
                : new SubscriptionQueue(
                    queue.QueueName,
                    queue.ConsumerCount,
                    queue.MessageCount,
                    $"delete the queue with the tools of the broker (rabbitmqctl delete_queue {queue.QueueName})");
        }
        catch (Exception exception) when (RabbitMqErrors.IsCallFailure(exception))
        {
            throw new EventBusException(
                $"RabbitMQ at {connector.Address} did not report whether the subscription '{subscription}' of the service '{service}' has "
                    + $"a queue: {exception.Message}",
                exception);
        }
    }

    public override async ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription,
        CancellationToken cancellationToken)
    {
        RabbitMqReceiver? receiver;
        lock (receivers)
        {
            receiver = receivers.Find(each => each.Name == subscription);
        }

        return receiver is null ? null : await receiver.CountOtherConsumersAsync(cancellationToken);
    }

    public override async ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken)
    {
        Subscription[] consumed;
        lock (receivers)
        {
            consumed = [.. receivers.Select(receiver => receiver.Subscription)];
        }

        var session = await connector.Publishing.ConnectionWithinTimeoutAsync(cancellationToken);
        return await new SubscriptionQueues(Started(topology)).ReadBacklogAsync(session, consumed, options.QueueType);
    }

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        Started(brokerDeadLetters).TakeAsync(cancellationToken);

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        RabbitMqReceiver[] open;
        lock (receivers)
        {
            open = [.. receivers];
        }

        return ValueTask.FromResult(new RabbitMqHealth(connector, publisher, open, monitor, brokerDeadLetters).Check());
    }

    public override async ValueTask DisposeAsync()
    {
        RabbitMqReceiver[] open;
        lock (receivers)
        {
            open = [.. receivers];
            receivers.Clear();
        }

        await Task.WhenAll(open.Select(receiver => receiver.DisposeAsync().AsTask())
            .Append(publisher?.DisposeAsync().AsTask() ?? Task.CompletedTask)
            .Append(brokerDeadLetters?.DisposeAsync().AsTask() ?? Task.CompletedTask)
            .Append(monitor?.DisposeAsync().AsTask() ?? Task.CompletedTask));
        lookup?.Dispose();
        if (holdsConnector)
        {
            holdsConnector = false;
            await connector.ReleaseAsync();
        }
    }

    private static T Started<T>(T? part)
        where T : class => part ?? throw new InvalidOperationException("The transport was not started.");
}
