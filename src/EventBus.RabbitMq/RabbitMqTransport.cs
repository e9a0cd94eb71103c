using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Events on a topic exchange, one quorum queue for each subscription. Publishing and consuming have a connection each: a blocked publisher never delays an acknowledgement.</summary>
internal sealed class RabbitMqTransport(Uri uri, RabbitMqOptions options, ILogger log) : Transport
{
    private readonly List<RabbitMqReceiver> receivers = [];
    private RabbitMqTopology? topology;
    private RabbitMqLink? publishing;
    private RabbitMqLink? consuming;
    private RabbitMqPublisher? publisher;
    private TimeProvider time = TimeProvider.System;
    private bool failFast;
    private bool startedDegraded;

    public override TransportFeatures Features { get; } = new()
    {
        System = "rabbitmq",
        Durable = true,
        Ordered = true,
        Redelivers = true,
        SharesSubscriptions = true,
        ReportsUnrouted = true,
        MaxBodyBytes = 134_217_728,
    };

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        (time, failFast) = (topology.TimeProvider, topology.FailFast);
        this.topology = new RabbitMqTopology(topology.ServiceName, options.Exchange);
        publishing = new RabbitMqLink("publishing", uri, options, time, log);
        consuming = new RabbitMqLink("consuming", uri, options, time, log);
        publisher = new RabbitMqPublisher(publishing, this.topology, options, time, log);
        publishing.Start();
        publisher.Start();
        if (topology.Subscriptions.Count > 0)
        {
            consuming.Start();
        }

        await ReadyAsync(publisher.Opened, publisher.Failed, () => publisher.LastError, cancellationToken);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) =>
        Started(publisher).PublishAsync(batch, outcomes, deadline);

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var receiver = new RabbitMqReceiver(subscription, Started(consuming), Started(topology), options, time, log);
        lock (receivers)
        {
            receivers.Add(receiver);
        }

        receiver.Start();
        await ReadyAsync(receiver.Opened, receiver.Failed, () => receiver.LastError, cancellationToken);
        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            var live = await Started(publishing).ConnectionAsync(cancellationToken).WaitAsync(options.CallTimeout, time, cancellationToken);
            await Started(topology).RetireAsync(live, subscription, discardWaiting);
        }
        catch (Exception exception) when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException or OperationInterruptedException)
        {
            throw new EventBusException($"RabbitMQ at {uri.Host}:{uri.Port} did not remove the queue of the subscription '{subscription}': {exception.Message} Try again.", exception);
        }
    }

    public override ValueTask<TransportHealth> CheckHealthAsync(CancellationToken cancellationToken)
    {
        string? silent;
        lock (receivers)
        {
            silent = receivers.Find(receiver => !receiver.IsLive)?.Name;
        }

        return ValueTask.FromResult(
            publisher is not { IsOpen: true } ? new TransportHealth(TransportState.Unhealthy, $"RabbitMQ at {uri.Host}:{uri.Port} cannot be published to: {publisher?.LastError?.Message ?? "connecting"}")
            : silent is not null ? new TransportHealth(TransportState.Unhealthy, $"The subscription '{silent}' receives nothing from RabbitMQ at {uri.Host}:{uri.Port}; its consumer is being rebuilt.")
            : publishing!.IsBlocked ? new TransportHealth(TransportState.Degraded, "RabbitMQ is short of memory or disk, and takes no events until it has recovered.")
            : TransportHealth.Healthy);
    }

    public override async ValueTask DisposeAsync()
    {
        RabbitMqReceiver[] open;
        lock (receivers)
        {
            open = [.. receivers];
            receivers.Clear();
        }

        await Task.WhenAll(open.Select(receiver => receiver.DisposeAsync().AsTask()).Append(publisher?.DisposeAsync().AsTask() ?? Task.CompletedTask));
        await Task.WhenAll(publishing?.DisposeAsync().AsTask() ?? Task.CompletedTask, consuming?.DisposeAsync().AsTask() ?? Task.CompletedTask);
    }

    /// <summary>Waits until something is open. Out of reach is an error only where that was asked for; a broker that answers and refuses always is.</summary>
    private async Task ReadyAsync(Task ready, Task failed, Func<Exception?> lastError, CancellationToken cancellationToken)
    {
        try
        {
            await (failFast ? ready : Task.WhenAny(ready, failed)).WaitAsync(options.CallTimeout, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Told below.
        }

        if (ready.IsCompleted)
        {
            await ready;
            return;
        }

        var error = lastError();
        var text = $"RabbitMQ at {uri.Host}:{uri.Port} was not ready within {options.CallTimeout}: {error?.Message ?? "it gave no answer."} Check that it runs, and the user, the password and the virtual host in the connection string.";
        if (failFast || RabbitMqRefusal.IsRefusal(error))
        {
            throw new EventBusException(text, error);
        }

        if (!startedDegraded)
        {
            startedDegraded = true;
            log.StartedDegraded(uri.Host, uri.Port);
        }
    }

    private static T Started<T>(T? part)
        where T : class => part ?? throw new InvalidOperationException("The transport was not started.");
}
