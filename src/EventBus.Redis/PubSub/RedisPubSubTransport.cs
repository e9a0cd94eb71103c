using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Implements a transport over Redis Pub/Sub, with one channel for each event name. Redis does not store events: only
/// clients that are subscribed at the time of publication receive them.
/// </summary>
internal sealed class RedisPubSubTransport(RedisConnector connector, RedisPubSubOptions options, ILogger log) : Transport
{
    private static readonly TimeSpan PingTimeout = TimeSpan.FromMilliseconds(900);

    private readonly Lock gate = new();
    private readonly RedisPubSubPublishCounter publishes = new();
    private readonly RedisPubSubWriterPool writers = new();
    private volatile RedisPubSubReceiver[] receivers = [];
    private IConnectionMultiplexer? connection;
    private RedisPubSubOutages? outages;
    private RedisPubSubTopology? topology;
    private bool failFast;

    // Unrouted is not reported: Redis returns the number of clients that received a message, but includes clients whose
    // glob is wider than their event patterns, and in a cluster counts only the clients of one node.
    public override TransportFeatures Features { get; } = new()
    {
        System = "redis_pubsub",

        // Redis closes a subscriber's connection when 32 MB wait in it (client-output-buffer-limit pubsub), and base64
        // makes a body that is not JSON a third larger.
        MaxBodyBytes = 16 * 1024 * 1024,
    };

    internal IConnectionMultiplexer Connection => connection ?? throw new InvalidOperationException("The transport was not started.");

    private RedisPubSubTopology Topology => topology ?? throw new InvalidOperationException("The transport was not started.");

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        this.topology = new RedisPubSubTopology(options, topology);
        failFast = topology.FailFast;
        connection = await connector.ShareAsync(failFast, cancellationToken);
        outages = new RedisPubSubOutages(connection, log);
    }

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (deadline.IsCancellationRequested)
        {
            outcomes.Span.Fill(PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent.")));
            return;
        }

        using var entered = publishes.Enter();
        var sending = new Task<long>?[batch.Length];
        Exception? batchError = null;
        try
        {
            await Send(batch.Span, sending, outcomes.Span).WaitAsync(deadline);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            // The deadline has passed. OutcomeOf reports the events without an answer as in doubt.
        }
        catch (Exception exception)
        {
            batchError = exception;
        }

        for (var i = 0; i < sending.Length; i++)
        {
            if (sending[i] is { } answer)
            {
                outcomes.Span[i] = OutcomeOf(answer, batchError);
            }
        }

        if (sending.Length > 1)
        {
            await SendDiscardedAsync(batch, outcomes, deadline);
        }
    }

    private static PublishOutcome OutcomeOf(Task<long> answer, Exception? batchError)
    {
        if (answer.IsCompletedSuccessfully)
        {
            return PublishOutcome.Accepted;
        }

        var error = answer.Exception?.InnerException ?? batchError;
        return error is null
            ? PublishOutcome.InDoubt(new TimeoutException("Redis did not answer in time."))
            : RedisErrors.OutcomeOf(error);
    }

    /// <summary>
    /// Sends the events of a discarded transaction one by one, except those that follow an event of the same key that
    /// failed again. Redis discards a transaction if it refuses one of its commands; sent alone, the other events are
    /// accepted.
    /// </summary>
    private async Task SendDiscardedAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            if (outcomes.Span[i].Status == PublishStatus.Failed
                && RedisErrors.IsDiscarded(outcomes.Span[i].Error)
                && !order.IsHeldBack(envelope.Key))
            {
                var outcome = new PublishOutcome[1];
                await PublishAsync(new[] { envelope }, outcome, deadline);
                outcomes.Span[i] = outcome[0];
            }

            order.Record(envelope.Key, outcomes.Span[i]);
        }
    }

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var receiver = new RedisPubSubReceiver(subscription, this, Topology, options, log);
        try
        {
            await receiver.ListenAsync(Connection.GetSubscriber(), failFast, cancellationToken);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            await receiver.DisposeAsync();
            if (exception is RedisServerException)
            {
                throw new EventBusException(
                    $"Redis does not let this user listen for the subscription '{subscription.Name}': {exception.Message} Grant the user "
                        + $"the channels '{options.KeyPrefix}:*' (ACL SETUSER ... &{options.KeyPrefix}:*).",
                    exception);
            }

            throw new EventBusException(
                $"Redis did not accept the subscription '{subscription.Name}': {exception.Message} Start Redis, or correct its address.",
                exception);
        }
        catch
        {
            await receiver.DisposeAsync();
            throw;
        }

        lock (gate)
        {
            receivers = [.. receivers, receiver];
        }

        return receiver;
    }

    public override async ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RedisConnector.PingAsync(Connection).WaitAsync(PingTimeout, Topology.Time, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return new HealthCheckResult(
                HealthStatus.Unhealthy,
                "Redis does not answer. Events cannot be published or received until it does; events of other instances are lost "
                    + "meanwhile.");
        }

        var subscriber = Connection.GetSubscriber();
        var disconnected = receivers.FirstOrDefault(each => !each.IsStopping && !each.IsConnected(subscriber));
        if (disconnected is not null)
        {
            return new HealthCheckResult(
                HealthStatus.Unhealthy,
                $"The subscription '{disconnected.Subscription.Name}' is not connected, and its events are lost until it is.");
        }

        var overflowing = receivers.FirstOrDefault(each => each.IsOverflowing);
        if (overflowing is not null)
        {
            return new HealthCheckResult(
                HealthStatus.Degraded,
                $"The subscription '{overflowing.Subscription.Name}' dropped events in the last minute, because its handlers are too slow. "
                    + "Make its handlers faster, raise its concurrency, or use a backend that stores events.");
        }

        return HealthCheckResult.Healthy();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref connection, null) is not null)
        {
            outages!.Dispose();
            await connector.ReleaseAsync();
        }
    }

    internal void Leave(RedisPubSubReceiver receiver)
    {
        lock (gate)
        {
            receivers = [.. receivers.Where(each => each != receiver)];
        }
    }

    /// <summary>
    /// Completes when this instance has received the events that it has published so far, or when the time limit ends.
    /// Never throws.
    /// </summary>
    internal async Task WaitForOwnEventsAsync(TimeSpan limit)
    {
        await PingAfterPublishesAsync().WaitAsync(limit, Topology.Time).Quietly();

        async Task PingAfterPublishesAsync()
        {
            await publishes.WhenIdleAsync();

            // Redis sends the answer to this ping after the events, and the client reads both in that order.
            await Connection.GetSubscriber().PingAsync();
        }
    }

    /// <summary>
    /// Sends a batch. Several events are sent as one transaction, all or none, so that no event overtakes an earlier
    /// refused event of the same key. Sets <paramref name="sending"/> to the answers of Redis for the events that are
    /// sent, and <paramref name="outcomes"/> to the outcomes of the others.
    /// </summary>
    private Task Send(ReadOnlySpan<Envelope> batch, Span<Task<long>?> sending, Span<PublishOutcome> outcomes)
    {
        var database = Connection.GetDatabase();
        var transaction = batch.Length > 1 ? database.CreateTransaction() : null;
        IDatabaseAsync target = transaction ?? (IDatabaseAsync)database;
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch[i];
            if (order.IsHeldBack(envelope.Key))
            {
                outcomes[i] = KeyOrder.NotSent;
                continue;
            }

            if (TryWrite(envelope, out var message, out outcomes[i]))
            {
                sending[i] = target.PublishAsync(Topology.ChannelOf(envelope.Name), message);
            }
            else
            {
                order.HoldBack(envelope.Key);
            }
        }

        return transaction is not null ? transaction.ExecuteAsync() : sending[0] ?? Task.CompletedTask;
    }

    /// <summary>Serializes an event. Returns false, and the outcome, if it cannot be sent.</summary>
    private bool TryWrite(Envelope envelope, out byte[] message, out PublishOutcome outcome)
    {
        message = [];
        outcome = default;
        if (!envelope.FromHandler && WouldBeMissed(envelope))
        {
            outcome = PublishOutcome.Rejected(
                new InvalidOperationException("The bus is stopping, and a subscription of its own would miss the event."));
            return false;
        }

        try
        {
            message = RedisPubSubWireFormat.Write(envelope, Topology.Source, writers);
            return true;
        }
        catch (EventBusException exception)
        {
            outcome = PublishOutcome.Rejected(exception);
            return false;
        }
    }

    /// <summary>True if a subscription of this instance matches the event and no longer receives events.</summary>
    private bool WouldBeMissed(Envelope envelope)
    {
        foreach (var receiver in receivers)
        {
            if (receiver.IsStopping && receiver.Subscription.Matches(envelope.Name))
            {
                return true;
            }
        }

        return false;
    }
}
