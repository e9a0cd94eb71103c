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

    private readonly RedisPubSubReceivers receivers = new();

    // Set by StartAsync.
    private IConnectionMultiplexer? connection;
    private RedisPubSubPublisher? publisher;
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

    private RedisPubSubPublisher Publisher => publisher ?? throw new InvalidOperationException("The transport was not started.");

    private RedisPubSubTopology Topology => topology ?? throw new InvalidOperationException("The transport was not started.");

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        this.topology = new RedisPubSubTopology(options, topology, connector.Address);
        failFast = topology.FailFast;
        connection = await connector.ShareAsync(failFast, cancellationToken);
        publisher = new RedisPubSubPublisher(connection, Topology, receivers);
        outages = new RedisPubSubOutages(connection, connector.Address, log);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) =>
        Publisher.PublishAsync(batch, outcomes, deadline);

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
                    $"Redis at {connector.Address} does not let this user listen for the subscription '{subscription.Name}': "
                        + $"{exception.Message} Grant the user the channels '{options.KeyPrefix}:*' (ACL SETUSER ... "
                        + $"&{options.KeyPrefix}:*).",
                    exception);
            }

            throw new EventBusException(
                $"Redis at {connector.Address} did not accept the subscription '{subscription.Name}': {RedisAddress.CauseOf(exception)}. "
                    + "Start Redis, or correct its address.",
                exception);
        }
        catch
        {
            await receiver.DisposeAsync();
            throw;
        }

        receivers.Add(receiver);
        return receiver;
    }

    public override async ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RedisConnector.PingAsync(Connection).WaitAsync(PingTimeout, Topology.Time, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return RedisPubSubHealth.Unreachable(connector.Address, exception);
        }

        return RedisPubSubHealth.Of(receivers.All, Connection.GetSubscriber());
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref connection, null) is not null)
        {
            outages!.Dispose();
            await connector.ReleaseAsync();
        }
    }

    /// <inheritdoc cref="RedisPubSubPublisher.WaitForOwnEventsAsync"/>
    internal Task WaitForOwnEventsAsync(TimeSpan limit) => Publisher.WaitForOwnEventsAsync(limit);

    internal void Leave(RedisPubSubReceiver receiver) => receivers.Remove(receiver);
}
