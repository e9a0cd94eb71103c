using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Tests changes of the clocks of instances and of the server while entries wait in Redis.</summary>
public sealed class RedisClockTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    // The maximum delay of an entry that is due in two seconds, and the maximum difference of clocks, on a busy
    // machine. Both are far below the hour by which the clocks are set.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly SettableTime time = new();
    private readonly ConcurrentQueue<string> seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task Clock_OfTheInstanceSet_WaitingEntriesRunInTime(int hours)
    {
        await using var redis = await TestRedis.OpenAsync();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = Build(redis.Prefix, bus => bus
            .AddAlert<FailingAlert>()
            .AddSaga<Waiting, WaitingState>()
            .Subscribe("retried", subscription => subscription.Retry(Soon).On<ParcelSent>((parcel, context, _) =>
            {
                if (parcel.Number == 1 && context.Attempt == 1)
                {
                    second.TrySetResult();
                    throw new InvalidOperationException("Once.");
                }

                return Record($"{parcel.Number}");
            }))
            .Subscribe("dead", subscription => subscription.Retry(0)
                .On<ParcelSent>((parcel, _, _) => parcel.Number == 1 ? throw new InvalidOperationException("Dead.") : Task.CompletedTask)));
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();
        var sagas = host.Services.GetRequiredService<ISagas>();
        var saga = await sagas.StartAsync(new WaitingState("1"), cancellationToken: Token);
        await bus.PublishAsync(new ParcelSent(3), new PublishOptions { NotBefore = time.GetUtcNow() + (2 * Hour) }, Token);
        await bus.PublishAsync(new ParcelSent(2), new PublishOptions { NotBefore = time.GetUtcNow() + Soon }, Token);
        await bus.PublishAsync(new ParcelSent(1), cancellationToken: Token);
        await second.Task.WaitAsync(Patience, Token);

        time.Set(hours * Hour);
        await bus.PublishAsync(new ParcelSent(4), new PublishOptions { NotBefore = time.GetUtcNow() + Soon }, Token);
        await Until.TrueAsync("all events but the last are handled", () => new[] { "1", "2", "4", "alert" }.All(seen.Contains), Token);
        Assert.Equal(SagaStatus.Compensated, (await sagas.WaitAsync<WaitingState>(saga, Token).WaitAsync(Patience, Token)).Status);

        // Sets the clock back again.
        time.Set(-hours * Hour);
        await bus.PublishAsync(new ParcelSent(5), new PublishOptions { NotBefore = time.GetUtcNow() + Soon }, Token);
        await Until.TrueAsync("the last event is handled", () => seen.Contains("5"), Token);
        Assert.DoesNotContain("3", seen);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Clock_OfAnInstanceWrong_DueTimesAndLeasesStayTheSameForAllInstances()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var right = await ClockOf.OpenAsync(redis.Prefix, TimeProvider.System);
        time.Set(-Hour);
        await using var behind = await ClockOf.OpenAsync(redis.Prefix, time);
        Assert.InRange(right.Apart(behind), -Patience, Patience);

        time.Set(3 * Hour);
        Assert.InRange(right.Apart(behind), -Patience, Patience);
        await behind.LookAsync();
        Assert.InRange(right.Apart(behind), -Patience, Patience);
        await using var ahead = await ClockOf.OpenAsync(redis.Prefix, time);
        Assert.InRange(right.Apart(ahead), -Patience, Patience);
    }

    [Fact]
    public async Task Clock_OfTheServerSetBack_ContinuesForAllInstances()
    {
        await using var redis = await TestRedis.OpenAsync();

        // The server is an hour behind the time that elapsed here, as if its clock was set back.
        await using var first = await ClockOf.OpenAsync(redis.Prefix, time);
        var before = first.Clock.GetUtcNow();
        time.Pass(Hour);
        await first.LookAsync();
        Assert.InRange(first.Clock.GetUtcNow() - before, Hour - Patience, Hour + Patience);

        await using var second = await ClockOf.OpenAsync(redis.Prefix, TimeProvider.System);
        Assert.InRange(first.Apart(second), -Patience, Patience);
        Assert.InRange(second.Clock.GetUtcNow() - TimeProvider.System.GetUtcNow(), Hour - Patience, Hour + Patience);
    }

    [Theory]
    [InlineData("an hour")]
    [InlineData("-1")]
    [InlineData("1e300")]
    [InlineData("nan")]
    public async Task Clock_Corrupted_IsThatOfTheServer(string text)
    {
        await using var redis = await TestRedis.OpenAsync();
        await redis.Database.StringSetAsync(TestStores.Key(redis.Prefix, "clock"), text);
        await using var clock = await ClockOf.OpenAsync(redis.Prefix, TimeProvider.System);
        Assert.InRange(clock.Clock.GetUtcNow() - TimeProvider.System.GetUtcNow(), -Patience, Patience);

        await redis.Database.KeyDeleteAsync(TestStores.Key(redis.Prefix, "clock"));
        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "clock"), "a", "b");
        await using var other = await ClockOf.OpenAsync(redis.Prefix, TimeProvider.System);
        Assert.InRange(other.Clock.GetUtcNow() - TimeProvider.System.GetUtcNow(), -Patience, Patience);
    }

    private Task Record(string what)
    {
        seen.Enqueue(what);
        return Task.CompletedTask;
    }

    private IHost Build(string prefix, Action<EventBusBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<TimeProvider>(time).AddSingleton(seen);
        builder.Services.AddEventBus(bus => configure(bus.UseInMemory()
            .StoreInRedis(TestRedis.Address, options => options.KeyPrefix = prefix)
            .Configure(options => (options.ServiceName, options.Retry.Jitter) = (TestStores.Service, 0))));
        return builder.Build();
    }

    /// <summary>The stores of an instance with its own clock.</summary>
    private sealed class ClockOf : IAsyncDisposable
    {
        private readonly RedisStoreLink link;

        private ClockOf(RedisStoreLink link, RedisClock clock) => (this.link, Clock) = (link, clock);

        public RedisClock Clock { get; }

        public static async Task<ClockOf> OpenAsync(string prefix, TimeProvider time)
        {
            var link = new RedisStoreLink(
                new RedisConnector(ConfigurationOptions.Parse($"{TestRedis.Address},name={prefix}"), "bus.StoreInRedis(...)", Canary.Log),
                prefix);
            var clock = new ClockOf(link, (RedisClock)link.CreateClock(time));
            await link.OpenAsync(new StoreSetup(TestStores.Service, time) { FailFast = true }, Token);
            return clock;
        }

        public Task LookAsync() => Clock.FollowAsync(link, Token);

        public TimeSpan Apart(ClockOf other) => other.Clock.GetUtcNow() - Clock.GetUtcNow();

        public ValueTask DisposeAsync() => link.CloseAsync();
    }

    /// <summary>The system's clock, set by a test.</summary>
    private sealed class SettableTime : TimeProvider
    {
        private long offset;
        private long passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref offset));

        public override long GetTimestamp() => TimeProvider.System.GetElapsedTime(0).Ticks + Interlocked.Read(ref passed);

        public void Set(TimeSpan span) => Interlocked.Add(ref offset, span.Ticks);

        /// <summary>Advances the time in one step.</summary>
        public void Pass(TimeSpan span)
        {
            Interlocked.Add(ref passed, span.Ticks);
            Set(span);
        }
    }

    private sealed class FailingAlert(ConcurrentQueue<string> seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Enqueue(seen.Contains("first alert") ? "alert" : "first alert");
            return seen.Contains("alert") ? Task.CompletedTask : throw new InvalidOperationException("Pager down.");
        }
    }

    [EventName("parcel.approved")]
    private sealed record Approved(int Number);

    private sealed record WaitingState(string Name);

    private sealed class Waiting : Saga<WaitingState>
    {
        protected override void Define(SagaBuilder<WaitingState> saga) =>
            saga.Step("ask", (_, _) => Task.CompletedTask, (_, _) => Task.CompletedTask).WaitFor<Approved>(Soon);
    }
}
