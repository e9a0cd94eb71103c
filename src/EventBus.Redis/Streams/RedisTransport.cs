using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Implements a transport over Redis Streams, with one stream for each first word of the event names and one consumer
/// group for each subscription.
/// </summary>
internal sealed class RedisTransport(RedisConnector connector, RedisOptions options, ILogger log) : Transport
{
    private static readonly TimeSpan PingTimeout = TimeSpan.FromMilliseconds(900);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetireTimeout = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private volatile RedisReceiver[] receivers = [];
    private readonly CancellationTokenSource stop = new();

    // Set by StartAsync.
    private IConnectionMultiplexer? connection;
    private RedisStreamCatalog? catalog;
    private RedisTrimmer? trimmer;
    private Task trimming = Task.CompletedTask;
    private RedisTopology? names;
    private RedisPublisher? publisher;
    private RedisListPublisher? listPublisher;
    private RedisSizeLimit? limit;
    private bool failFast;

    public override TransportFeatures Features { get; } = new()
    {
        System = "redis",
        Durable = true,
        Ordered = true,
        Redelivers = true,
        SharesSubscriptions = true,
        KnowsBacklog = true,

        // Far below the limit of Redis for one value (512 MB), because a whole batch must be transferred within the
        // timeout of one answer.
        MaxBodyBytes = 16 * 1024 * 1024,
    };

    internal IConnectionMultiplexer Connection => connection ?? throw new InvalidOperationException("The transport was not started.");

    private RedisStreamCatalog Catalog => catalog ?? throw new InvalidOperationException("The transport was not started.");

    private RedisTopology Names => names ?? throw new InvalidOperationException("The transport was not started.");

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        names = new RedisTopology(options, topology) { Address = connector.Address };
        failFast = topology.FailFast;
        connection = await connector.ShareAsync(failFast, cancellationToken);
        var database = connection.GetDatabase();
        limit = new RedisSizeLimit(database, names.Time);
        publisher = new RedisPublisher(database, names, limit);
        listPublisher = new RedisListPublisher(publisher, database, limit, names.Time);
        connection.ConnectionRestored += AskLimitAgain;
        if (connection.IsConnected)
        {
            await limit.AskAsync(cancellationToken);
        }

        catalog = new RedisStreamCatalog(database, names, log);
        trimmer = new RedisTrimmer(catalog, publisher, names, options, log);
        trimming = trimmer.RunAsync(stop.Token);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (deadline.IsCancellationRequested)
        {
            outcomes.Span.Fill(PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent.")));
            return ValueTask.CompletedTask;
        }

        if (publisher is null || listPublisher is null)
        {
            throw new InvalidOperationException("The transport was not started.");
        }

        return batch.Length == 1
            ? publisher.PublishAsync(batch.Span[0], outcomes, deadline)
            : listPublisher.PublishAsync(batch, outcomes, deadline);
    }

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var group = new RedisGroup(
            Connection.GetDatabase(),
            Names.GroupOf(subscription),
            RedisTopology.NewConsumer(),
            Names.StreamsOf(subscription),
            connector.AnswerTimeout);
        var positions = new RedisGroupPositions(group, RedisTopology.IsOpen(subscription), Catalog, Names, log);
        var blocking = new RedisBlockingConnection(connector);
        var groupExists = await new RedisSubscriptionStart(Connection, Names, failFast)
            .RunAsync(group, positions, blocking, cancellationToken);
        var receiver = new RedisReceiver(new RedisConsumer(subscription, group, Names, options.ClaimAfter, log)
        {
            Connector = connector,
            Blocking = blocking,
            Bulk = new RedisBlockingConnection(connector),
            Positions = positions,
        });
        receiver.Start(groupExists);
        lock (gate)
        {
            receivers = [.. receivers.Where(each => !each.IsStopping), receiver];
        }

        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            await new RedisRetirement(Connection.GetDatabase(), Catalog, Names, options.ClaimAfter)
                .RetireAsync(subscription, discardWaiting, cancellationToken)
                .WaitAsync(RetireTimeout, Names.Time, cancellationToken);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            throw new EventBusException(
                $"Redis did not remove the consumer group of the subscription '{subscription}': "
                    + $"{connector.Address.Explain(exception).Message} Try again.",
                exception);
        }
    }

    public override async ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription,
        CancellationToken cancellationToken) =>
        Array.Find(receivers, each => !each.IsStopping && each.Subscription == subscription) is { } receiver
            ? await receiver.CountOtherConsumersAsync(cancellationToken)
            : null;

    public override async ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken) =>
        await new RedisBacklog(connector, Connection.GetDatabase())
            .ReadAsync([.. receivers.Where(each => !each.IsStopping)], cancellationToken);

    public override async ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RedisConnector.PingAsync(Connection).WaitAsync(PingTimeout, Names.Time, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return RedisStreamsHealth.Unreachable(connector.Address, exception);
        }

        return RedisStreamsHealth.Of(receivers, catalog, trimmer);
    }

    public override async ValueTask DisposeAsync()
    {
        if (connection is not null)
        {
            connection.ConnectionRestored -= AskLimitAgain;
            connection = null;
            await stop.CancelAsync();
            await trimming.WaitAsync(StopTimeout, Names.Time).Quietly();
            stop.Dispose();
            await connector.ReleaseAsync();
        }
    }

    private void AskLimitAgain(object? sender, ConnectionFailedEventArgs restored) => _ = limit!.AskAsync(CancellationToken.None);
}
