using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Transports events through a topic exchange and one queue per subscription. Publishing and consuming use separate
/// connections, so that a blocked publisher never delays an acknowledgement.
/// </summary>
internal sealed class RabbitMqTransport(RabbitMqConnector connector) : Transport
{
    private readonly RabbitMqOptions options = connector.Options;
    private readonly ILogger log = connector.Log;
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);
    private readonly List<RabbitMqReceiver> receivers = [];
    private RabbitMqTopology? topology;
    private RabbitMqPublisher? publisher;
    private RabbitMqBrokerDeadLetters? brokerDeadLetters;
    private RabbitMqTopologyMonitor? monitor;
    private TimeProvider time = TimeProvider.System;
    private bool failFast;
    private bool isDegradedStartLogged;
    private bool holdsConnector;

    public override TransportFeatures Features { get; } = new()
    {
        System = "rabbitmq",
        Durable = true,
        KeepsUnlistedQueues = true,
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
        failFast = topology.FailFast;
        this.topology = new RabbitMqTopology(topology.ServiceName, options);
        connector.Acquire(topology.ServiceName, time);
        holdsConnector = true;
        brokerDeadLetters = new RabbitMqBrokerDeadLetters(
            connector,
            this.topology,
            [.. topology.Subscriptions.Select(subscription => subscription.Name)],
            time);
        RabbitMqEntity[] entities = [.. topology.Subscriptions.SelectMany(this.topology.EntitiesOf)];
        publisher = new RabbitMqPublisher(connector.Publishing, this.topology, options, time, log) { Targets = entities };
        publisher.Start();
        await WaitUntilReadyAsync(publisher.Opened, publisher.Failed, () => publisher.LastError, cancellationToken);
        if (publisher.IsOpen)
        {
            await PrepareAsync(entities, cancellationToken);
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
        var receiver = new RabbitMqReceiver(subscription, connector, Started(topology), time);
        lock (receivers)
        {
            receivers.Add(receiver);
        }

        receiver.Start();
        await WaitUntilReadyAsync(receiver.Opened, receiver.Failed, () => receiver.LastError, cancellationToken);
        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            var session = await connector.Publishing.ConnectionAsync(cancellationToken)
                .WaitAsync(options.CallTimeout, time, cancellationToken);
            await new SubscriptionQueues(Started(topology)).RetireAsync(session, subscription, discardWaiting);
        }
        catch (Exception exception)
            when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException or OperationInterruptedException)
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
            var session = await connector.Publishing.ConnectionAsync(cancellationToken)
                .WaitAsync(options.CallTimeout, time, cancellationToken);
            var queue = await queues.FindAsync(session, subscription);
            return queue is null
                ? null
                : new SubscriptionQueue(
                    queue.QueueName,
                    queue.ConsumerCount,
                    queue.MessageCount,
                    $"delete the queue with the tools of the broker (rabbitmqctl delete_queue {queue.QueueName})");
        }
        catch (Exception exception)
            when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException or OperationInterruptedException)
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

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        Started(brokerDeadLetters).TakeAsync(cancellationToken);

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(CheckHealth());

    private HealthCheckResult CheckHealth()
    {
        var failure = FindFailure();
        if (failure is not null)
        {
            return new HealthCheckResult(HealthStatus.Unhealthy, failure);
        }

        if (connector.Publishing.IsBlocked)
        {
            return new HealthCheckResult(
                HealthStatus.Degraded,
                "RabbitMQ is short of memory or disk, and accepts no events at present.");
        }

        var problem = brokerDeadLetters?.Problem;
        return problem is null
            ? HealthCheckResult.Healthy()
            : new HealthCheckResult(HealthStatus.Degraded, $"RabbitMQ at {connector.Address}: {problem}");
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
        if (holdsConnector)
        {
            holdsConnector = false;
            await connector.ReleaseAsync();
        }
    }

    /// <summary>
    /// Describes the failure because of which events cannot be published or received; null if there is none.
    /// </summary>
    private string? FindFailure()
    {
        if (publisher is not { IsOpen: true })
        {
            var cause = RabbitMqErrors.CauseOf(publisher?.LastError) ?? "The connection is being opened.";
            return $"Events cannot be published to RabbitMQ at {connector.Address}: {cause}";
        }

        RabbitMqReceiver? disconnected;
        string? unreadableMessage;
        lock (receivers)
        {
            disconnected = receivers.Find(receiver => !receiver.IsLive);
            unreadableMessage = receivers.Select(receiver => receiver.UnreadableMessage).FirstOrDefault(found => found is not null);
        }

        if (unreadableMessage is not null)
        {
            return $"RabbitMQ at {connector.Address}: {unreadableMessage} Take the message out with the tools of the broker.";
        }

        if (disconnected is not null)
        {
            return $"The subscription '{disconnected.Name}' receives nothing from RabbitMQ at {connector.Address}; its consumer is being "
                + $"opened again. {RabbitMqErrors.CauseOf(disconnected.LastError)}".TrimEnd();
        }

        var problem = monitor?.Problem;
        return problem is null ? null : $"RabbitMQ at {connector.Address}: {problem}";
    }

    /// <summary>
    /// Creates or checks all entities at once, so that one error lists all problems. If the connection is lost in the
    /// meantime, the publisher and each receiver create the entities that they need when they have a connection again.
    /// </summary>
    private async Task PrepareAsync(IEnumerable<RabbitMqEntity> entities, CancellationToken cancellationToken)
    {
        try
        {
            var session = await connector.Publishing.ConnectionAsync(cancellationToken)
                .WaitAsync(options.CallTimeout, time, cancellationToken);
            await provisioner.PrepareAsync(session, entities);
        }
        catch (Exception exception) when (!failFast && exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            LogDegradedStart();
        }
    }

    /// <summary>
    /// Waits until the publisher or a receiver is open, at most for the call timeout. Throws if the broker refuses this
    /// application. If the broker is unreachable, throws only with fail-fast; otherwise logs a warning and returns.
    /// </summary>
    /// <param name="ready">Completes when the publisher or receiver is open; fails if the broker refuses it.</param>
    /// <param name="failed">Completes when its first attempt to open has failed.</param>
    /// <param name="lastError">Gets the error of its last attempt; null for none.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    private async Task WaitUntilReadyAsync(Task ready, Task failed, Func<Exception?> lastError, CancellationToken cancellationToken)
    {
        try
        {
            using var limit = cancellationToken.WithTimeout(options.CallTimeout, time);
            await Task.WhenAny(ready, failed).WaitAsync(limit.Token);

            // After a failure, a further attempt may succeed within the timeout, but not after a refusal.
            if (failFast && !RabbitMqErrors.IsRefusal(lastError()))
            {
                await ready.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The timeout is handled below.
        }

        if (ready.IsCompleted)
        {
            await ready;
            return;
        }

        var error = lastError();
        var state = RabbitMqErrors.IsRefusal(error) ? "refuses this application" : $"was not ready within {options.CallTimeout}";
        var text = $"RabbitMQ at {connector.Address} {state}: {RabbitMqErrors.CauseOf(error) ?? "it gave no answer."} Check that it runs, "
            + "and the user, the password and the virtual host in the connection string.";
        if (failFast || RabbitMqErrors.IsRefusal(error))
        {
            throw new EventBusException(text, error);
        }

        LogDegradedStart();
    }

    private void LogDegradedStart()
    {
        if (!isDegradedStartLogged)
        {
            isDegradedStartLogged = true;
            log.StartedDegraded(connector.Address);
        }
    }

    private static T Started<T>(T? part)
        where T : class => part ?? throw new InvalidOperationException("The transport was not started.");
}
