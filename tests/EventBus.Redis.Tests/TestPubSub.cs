using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>An application on Redis Pub/Sub, with its log.</summary>
internal sealed class TestPubSub : IAsyncDisposable, ILogger
{
    private readonly Stack<IAsyncDisposable> made = new();
    private readonly ConcurrentQueue<string> logged = new();

    private TestPubSub(RedisPubSubOptions options, string address, string name)
    {
        Transport = new RedisPubSubTransport(
            new RedisConnector(ConfigurationOptions.Parse($"{address},name={name}"), "bus.UseRedisPubSub(...)", this),
            options,
            this);
        made.Push(Transport);
    }

    public RedisPubSubTransport Transport { get; }

    /// <summary>The entries above the level Information.</summary>
    public IReadOnlyCollection<string> Warnings => logged;

    public static async Task<TestPubSub> StartAsync(
        TestRedis redis,
        string? address = null,
        RedisPubSubOptions? options = null,
        bool failFast = false)
    {
        options ??= new RedisPubSubOptions();
        options.KeyPrefix = redis.Prefix;
        var app = new TestPubSub(options, address ?? TestRedis.Address, redis.Prefix);
        using var limit = new CancellationTokenSource(TestRedis.Patience);
        await app.Transport.StartAsync(
            new TransportTopology("app", [TestRedis.Parcels()], ["parcel.sent"], TimeProvider.System) { FailFast = failFast },
            limit.Token);
        return app;
    }

    public async Task<Receiver> SubscribeAsync(params string[] patterns)
    {
        using var limit = new CancellationTokenSource(TestRedis.Patience);
        var receiver = await Transport.SubscribeAsync(new Subscription("parcels", [.. patterns.Select(EventPattern.Parse)]), limit.Token);
        made.Push(receiver);
        return receiver;
    }

    public async Task<HealthCheckResult> HealthAsync() => await Transport.CheckHealthAsync(TestContext.Current.CancellationToken);

    /// <summary>
    /// Publishes repeatedly until an event arrives, because no signal shows that the subscription is active again.
    /// </summary>
    public async Task<Delivery> PublishUntilDeliveredAsync(Receiver receiver)
    {
        using var limit = new CancellationTokenSource(TestRedis.Patience);
        for (var number = 100; ; number++)
        {
            await TestRedis.PublishAsync(Transport, TestRedis.Parcel(number));
            using var moment = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
            moment.CancelAfter(TimeSpan.FromMilliseconds(50));
            try
            {
                return await receiver.Deliveries.ReadAsync(moment.Token);
            }
            catch (OperationCanceledException) when (!limit.IsCancellationRequested)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        while (made.TryPop(out var next))
        {
            await next.DisposeAsync().AsTask().WaitAsync(TestRedis.Patience);
        }
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        Canary.Log.Log(logLevel, eventId, state, exception, formatter);
        if (logLevel > LogLevel.Information)
        {
            logged.Enqueue(formatter(state, exception));
        }
    }
}
