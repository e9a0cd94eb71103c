using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that a queue that no instance consumes is reported, and never removed.</summary>
public sealed class LeftoverWatchTests : IAsyncDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly LogMemory log = new();
    private readonly KeepingTransport transport = new();
    private readonly Names names = new();
    private readonly LeftoverWatch watch;

    public LeftoverWatchTests() => watch = new LeftoverWatch(
        transport,
        names,
        new OwnSubscriptions("shop", ["mail"], new HashSet<string> { "mail", "elsewhere" }),
        TestServices.Create(time, log));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await transport.DisposeAsync();
        log.Dispose();
    }

    [Fact]
    public async Task Subscription_ThatNoInstanceUses_IsNamedOnceWithTheCallThatRetiresIt()
    {
        Keep("shop", "old", waiting: 3);
        time.Advance(Minute + Second);

        for (var look = 0; look < 5; look++)
        {
            await watch.LookAsync(Token);
            time.Advance(Minute);
        }

        var warning = Assert.Single(log.At(LogLevel.Warning));
        Assert.Contains(
            "consumes the queue shop:old of the subscription old, which this instance does not register",
            warning,
            StringComparison.Ordinal);
        Assert.Contains("call ISubscriptionManager.RetireAsync(\"old\")", warning, StringComparison.Ordinal);
        var data = Assert.Single(watch.Data);
        Assert.Equal("shop:old", data.Key);
        Assert.Contains("3 events wait", (string)data.Value, StringComparison.Ordinal);
        Assert.Contains("ISubscriptionManager.RetireAsync(\"old\")", (string)data.Value, StringComparison.Ordinal);
        Assert.Equal(["mail", "old"], names.Of("shop"));

        transport.Kept.Clear();
        await watch.ForgetAsync("old", Token);
        Assert.Empty(watch.Data);
        Assert.Equal(["mail"], names.Of("shop"));
        await watch.LookAsync(Token);
        Assert.Empty(watch.Data);
    }

    [Fact]
    public async Task Subscription_SeenRecently_IsNotNamed()
    {
        Keep("shop", "old");

        // Another instance that has the subscription records it in the meantime.
        for (var look = 0; look < 10; look++)
        {
            time.Advance(Minute);
            await watch.LookAsync(Token);
            names.Note("shop", ["old"], time.GetUtcNow());
        }

        Assert.Empty(watch.Data);
        Assert.Empty(log.At(LogLevel.Warning));
        Assert.Equal(0, transport.Looks);
    }

    [Fact]
    public async Task Subscription_ThatAnInstanceConsumes_IsNotNamedUntilItStops()
    {
        Keep("shop", "old", consumers: 1);
        time.Advance(Week);
        await watch.LookAsync(Token);
        Assert.Empty(watch.Data);

        Keep("shop", "old", seen: false);
        await watch.LookAsync(Token);
        Assert.Single(watch.Data);

        // The consumer returned and left again, so that the queue is reported again.
        Keep("shop", "old", consumers: 1, seen: false);
        await watch.LookAsync(Token);
        Assert.Empty(watch.Data);
        Keep("shop", "old", seen: false);
        await watch.LookAsync(Token);
        Assert.Equal(2, log.At(LogLevel.Warning).Count());
    }

    [Fact]
    public async Task Subscription_ThatTheApplicationHas_IsNotNamedEvenIfItDoesNotConsume()
    {
        Keep("shop", "mail");
        Keep("shop", "elsewhere");
        time.Advance(Week);

        await watch.LookAsync(Token);

        Assert.Empty(watch.Data);
        Assert.Equal(time.GetUtcNow(), names.Seen[("shop", "mail")]);
    }

    [Fact]
    public async Task Subscription_WithoutAQueueOrGroup_IsForgotten()
    {
        names.Note("shop", ["old"], time.GetUtcNow());
        time.Advance(Minute + Second);

        await watch.LookAsync(Token);

        Assert.Empty(watch.Data);
        Assert.Equal(["mail"], names.Of("shop"));
    }

    [Fact]
    public async Task OtherService_ThatStopped_IsInTheHealthDataAtOnceAndInTheLogAfterAWeek()
    {
        Keep("old-shop", "mail");
        time.Advance(Minute + Second);
        await watch.LookAsync(Token);

        var data = Assert.Single(watch.Data);
        Assert.Equal("old-shop:mail", data.Key);
        Assert.Contains(
            "ISubscriptionManager.RetireAsync(\"mail\") in an application whose service name is 'old-shop', or, if that is gone, remove "
                + "old-shop:mail",
            (string)data.Value,
            StringComparison.Ordinal);
        Assert.Empty(log.At(LogLevel.Warning));

        time.Advance(Week);
        await watch.LookAsync(Token);
        await watch.LookAsync(Token);
        Assert.Contains("remove old-shop:mail", Assert.Single(log.At(LogLevel.Warning)), StringComparison.Ordinal);
        Assert.Equal(["mail"], names.Of("old-shop"));
    }

    [Fact]
    public async Task OtherService_WithoutAQueueOrGroup_IsLookedUpOnceAndForgottenAfterAWeek()
    {
        names.Note("elsewhere", ["mail"], time.GetUtcNow());
        time.Advance(Minute + Second);
        for (var look = 0; look < 5; look++)
        {
            await watch.LookAsync(Token);
        }

        Assert.Equal(1, transport.Looks);
        Assert.Equal(["mail"], names.Of("elsewhere"));

        time.Advance(Week);
        await watch.LookAsync(Token);
        Assert.Empty(names.Of("elsewhere"));
    }

    [Fact]
    public async Task Backend_Unreachable_KeepsTheLastResultAndTheNextCheckContinues()
    {
        Keep("shop", "old");
        time.Advance(Minute + Second);
        using var stop = new CancellationTokenSource();
        var running = watch.RunAsync(stop.Token);
        Assert.Single(watch.Data);

        transport.Error = new EventBusException("away");
        time.Advance(Minute);
        Assert.Single(watch.Data);

        (transport.Error, names.Error) = (null, new IOException("away"));
        time.Advance(Minute);
        Assert.Single(watch.Data);

        names.Error = null;
        Keep("shop", "older");
        time.Advance(Minute + Second);
        time.Advance(Minute);
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        Assert.Equal(2, watch.Data.Count);
        Assert.Equal(2, log.At(LogLevel.Warning).Count());
    }

    private void Keep(string service, string subscription, long consumers = 0, long waiting = 0, bool seen = true)
    {
        transport.Kept[(service, subscription)] = new SubscriptionQueue(
            $"{service}:{subscription}",
            consumers,
            waiting,
            $"remove {service}:{subscription}");
        if (seen)
        {
            names.Seen[(service, subscription)] = time.GetUtcNow();
        }
    }

    private sealed class Names : SubscriptionStore
    {
        public Dictionary<(string Service, string Name), DateTimeOffset> Seen { get; } = [];

        public Exception? Error { get; set; }

        public IEnumerable<string> Of(string service) =>
            Seen.Keys.Where(each => each.Service == service).Select(each => each.Name).Order(StringComparer.Ordinal);

        public void Note(string service, IReadOnlyCollection<string> subscriptions, DateTimeOffset now)
        {
            foreach (var subscription in subscriptions)
            {
                Seen[(service, subscription)] = now;
            }
        }

        public override ValueTask<IReadOnlyList<(string Service, string Name, DateTimeOffset LastSeen)>> RecordAsync(
            string backend,
            IReadOnlyCollection<string> subscriptions,
            DateTimeOffset now,
            CancellationToken cancellationToken)
        {
            Assert.Equal("keeping", backend);
            if (Error is not null)
            {
                throw Error;
            }

            Note("shop", subscriptions, now);
            return ValueTask.FromResult<IReadOnlyList<(string Service, string Name, DateTimeOffset LastSeen)>>(
                [.. Seen.Select(each => (each.Key.Service, each.Key.Name, each.Value))]);
        }

        public override ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken)
        {
            Seen.Remove((service, subscription));
            return ValueTask.CompletedTask;
        }
    }

    private sealed class KeepingTransport : Transport
    {
        public Dictionary<(string Service, string Name), SubscriptionQueue> Kept { get; } = [];

        public Exception? Error { get; set; }

        public int Looks { get; private set; }

        public override TransportFeatures Features { get; } = new() { System = "keeping", KeepsUnlistedQueues = true };

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("never subscribed");

        public override ValueTask<SubscriptionQueue?> FindQueueAsync(
            string service, string subscription, CancellationToken cancellationToken)
        {
            Looks++;
            return Error is null ? ValueTask.FromResult(Kept.GetValueOrDefault((service, subscription))) : throw Error;
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
