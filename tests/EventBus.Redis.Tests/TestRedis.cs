using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>The Redis server of the tests, and applications that share a unique prefix on it.</summary>
internal sealed class TestRedis : IAsyncDisposable
{
    /// <summary>The deadline of waits.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Stack<IAsyncDisposable> made = new();

    private TestRedis(ConnectionMultiplexer admin)
    {
        Admin = admin;
        made.Push(admin);
    }

    public static string Address => Environment.GetEnvironmentVariable("EVENTBUS_TEST_REDIS") is { Length: > 0 } address
        ? address
        : throw new InvalidOperationException(
            "EVENTBUS_TEST_REDIS does not say where Redis is. Run ./test, which starts one, or set it to host:port or "
                + "host:port,password=...");

    /// <summary>The address without the password.</summary>
    public static string EndPoint => Address.Split(',')[0];

    /// <summary>A connection in addition to those under test.</summary>
    public ConnectionMultiplexer Admin { get; }

    /// <summary>The log of the transports.</summary>
    public TestLog Log { get; } = new();

    public string Prefix { get; } = $"t{Guid.NewGuid():N}";

    public IDatabase Database => Admin.GetDatabase();

    public RedisKey ParcelStream => $"{{{Prefix}}}:parcel";

    /// <summary>Creates a proxy to the server that forwards everything until a test changes it.</summary>
    public static TcpProxy NewProxy() => new(int.Parse(EndPoint.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Returns the address of the server behind a proxy.</summary>
    public static string Through(int port) => $"127.0.0.1:{port}{Address[EndPoint.Length..]}";

    public static async Task<TestRedis> OpenAsync() => new(await ConnectionMultiplexer.ConnectAsync($"{Address},allowAdmin=true"));

    public static Subscription Parcels(int concurrency = 16) =>
        new("parcels", [EventPattern.Parse("parcel.#")]) { Concurrency = concurrency };

    public static Envelope Parcel(int number, string? key = null) => Event(number, "parcel.sent", key);

    public static Envelope Event(int number, string name, string? key = null) =>
        new(
            new EnvelopeAttributes { Id = $"p-{number}", Name = name, Key = key, Time = DateTimeOffset.UnixEpoch.AddSeconds(number) },
            [(byte)'1']);

    /// <summary>Starts the transport of one application.</summary>
    public async Task<RedisTransport> StartAsync(
        TimeSpan? claimAfter = null,
        string? address = null,
        Subscription[]? subscriptions = null,
        bool failFast = false,
        Action<RedisOptions>? configure = null,
        ILogger? log = null)
    {
        var options = new RedisOptions { KeyPrefix = Prefix, ClaimAfter = claimAfter ?? TimeSpan.FromSeconds(60) };
        configure?.Invoke(options);
        var transport = new RedisTransport(
            new RedisConnector(ConfigurationOptions.Parse($"{address ?? Address},name={Prefix}"), "bus.UseRedis(...)", log ?? Log),
            options,
            log ?? Log);
        made.Push(transport);
        using var limit = new CancellationTokenSource(Patience);
        await transport.StartAsync(
            new TransportTopology("app", subscriptions ?? [Parcels()], ["parcel.sent"], TimeProvider.System) { FailFast = failFast },
            limit.Token);
        return transport;
    }

    public async Task<Receiver> SubscribeAsync(Transport transport, Subscription? subscription = null)
    {
        using var limit = new CancellationTokenSource(Patience);
        var receiver = await transport.SubscribeAsync(subscription ?? Parcels(), limit.Token);
        made.Push(receiver);
        return receiver;
    }

    /// <summary>Publishes a batch, and returns the outcome of each event.</summary>
    public static async Task<PublishOutcome[]> PublishAsync(Transport transport, params Envelope[] batch)
    {
        using var deadline = new CancellationTokenSource(Patience);
        var outcomes = new PublishOutcome[batch.Length];
        await transport.PublishAsync(batch, outcomes, deadline.Token);
        return outcomes;
    }

    public static async Task PublishAcceptedAsync(Transport transport, params Envelope[] batch) =>
        Assert.All(await PublishAsync(transport, batch), outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));

    public static async Task<Delivery> NextAsync(Receiver receiver, string awaited = "a delivery")
    {
        try
        {
            return await receiver.Deliveries.ReadAsync().AsTask().WaitAsync(Patience);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"Not received within {Patience}: {awaited}.", exception);
        }
    }

    /// <summary>Takes a number of deliveries within a time, and acknowledges each.</summary>
    public static async Task TakeAllAsync(Receiver receiver, int count, TimeSpan time)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(time);
        for (var i = 0; i < count; i++)
        {
            try
            {
                await (await receiver.Deliveries.ReadAsync(limit.Token)).AckAsync();
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Only {i} of {count} events arrived within {time}.");
            }
        }
    }

    /// <summary>Returns the number of unacknowledged entries.</summary>
    public async Task<long> PendingAsync() => (await Database.StreamPendingAsync(ParcelStream, "app:parcels")).PendingMessageCount;

    /// <summary>Waits until one entry is pending for a consumer whose name fulfils a condition.</summary>
    public async Task UntilOwnedAsync(Predicate<string> condition)
    {
        StreamPendingMessageInfo[] pending = [];
        await Until.TrueAsync(
            () => $"the owner of the one pending entry; pending for {string.Join(", ", pending.Select(each => each.ConsumerName))}",
            Patience,
            async () => (pending = await Database.StreamPendingMessagesAsync(ParcelStream, "app:parcels", 2, RedisValue.Null)).Length == 1
                && condition(pending[0].ConsumerName!),
            TestContext.Current.CancellationToken);
    }

    /// <summary>Returns the ids of the events in the stream, in its order.</summary>
    public async Task<string[]> ParcelIdsAsync() =>
        [.. (await Database.StreamRangeAsync(ParcelStream)).Select(entry => (string)entry["id"]!)];

    /// <summary>Waits until the stored position of the group fulfils a condition.</summary>
    public async Task<string> WaitForPositionAsync(Predicate<string> condition)
    {
        string? place = null;
        await Until.TrueAsync(
            () => $"the place of the group, which is '{place}'",
            Patience,
            async () => (place = await Database.HashGetAsync($"{{{Prefix}}}:places:parcel", "app:parcels")) is not null && condition(place),
            TestContext.Current.CancellationToken);
        return place!;
    }

    /// <summary>Waits until the health check has a status.</summary>
    public static async Task<HealthCheckResult> HealthAsync(Transport transport, HealthStatus state)
    {
        HealthCheckResult health = default;
        await Until.TrueAsync(
            () => $"the health is {state}, not {health.Status}: {health.Description}",
            Patience,
            async () => (health = await transport.CheckHealthAsync(CancellationToken.None)).Status == state,
            TestContext.Current.CancellationToken);
        return health;
    }

    /// <summary>Waits until the number of connections of the applications under test fulfils a condition.</summary>
    public async Task UntilConnectedAsync(Predicate<int> condition)
    {
        var count = 0;
        await Until.TrueAsync(
            () => $"the number of open connections, which is {count}",
            Patience,
            async () => condition(count = (await Admin.GetServers()[0].ClientListAsync()).Count(client => client.Name == Prefix)),
            TestContext.Current.CancellationToken);
    }

    /// <summary>Closes the connections of the applications under test at the server.</summary>
    public Task<int> KillConnectionsAsync() => KillConnectionsAsync(Admin, Prefix);

    /// <summary>Closes the connections with a name at the server, and returns their number.</summary>
    public static async Task<int> KillConnectionsAsync(ConnectionMultiplexer admin, string name)
    {
        var server = admin.GetServers()[0];
        var clients = (await server.ClientListAsync()).Where(client => client.Name == name).ToArray();
        await Task.WhenAll(clients.Select(client => server.ClientKillAsync(id: client.Id)));
        return clients.Length;
    }

    public async ValueTask DisposeAsync()
    {
        while (made.TryPop(out var next))
        {
            await next.DisposeAsync().AsTask().WaitAsync(Patience);
        }
    }
}
