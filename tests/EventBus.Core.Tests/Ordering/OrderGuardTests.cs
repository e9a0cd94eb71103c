using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests guards of the application that make an event wait for another one.</summary>
public sealed class OrderGuardTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Seen seen = new();
    private readonly PaidOrders paid = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Guard_ShippedBeforePaid_IsDeferredAndThenHandled(bool ordered)
    {
        await using var running = await StartAsync(ordered);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();
        Assert.Empty(seen.Items);

        await running.Bus.PublishAsync(new OrderPaid("2"), Token);
        await running.WhenIdleAsync();
        Assert.Equal(["paid 2"], seen.Items);

        await running.Bus.PublishAsync(new OrderPaid("1"), Token);
        await running.WhenIdleAsync();
        Assert.Equal(["paid 2", "paid 1", "shipped 1"], seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Guard_ConditionBecomesTrueElsewhere_IsAskedAgainAfterTheRecheckTime()
    {
        await using var running = await StartAsync(ordered: false);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();

        paid.Add("1");
        await running.PassAsync(time, TimeSpan.FromSeconds(30));
        Assert.Equal(["shipped 1"], seen.Items);
    }

    [Fact]
    public async Task Guard_Skips_AcknowledgesWithoutTheHandler()
    {
        await using var running = await StartAsync(ordered: false);
        await running.Bus.PublishAsync(new OrderShipped("cancelled"), Token);
        await running.WhenIdleAsync();

        Assert.Empty(seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Guard_NeverSatisfied_IsADeadLetterWhoseRetryIsCheckedAgain()
    {
        await using var running = await StartAsync(ordered: true);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromMinutes(6));
        Assert.Equal(DeadLetterReason.OutOfOrder, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);

        paid.Add("1");
        Assert.Equal(1, await running.DeadLetters.RetryAllAsync(cancellationToken: Token));
        await running.WhenIdleAsync();
        Assert.Equal(["shipped 1"], seen.Items);
    }

    [Fact]
    public async Task Guard_Throws_CountsAsAFailedAttempt()
    {
        await using var running = await StartAsync(ordered: false);
        await running.Bus.PublishAsync(new OrderShipped("broken"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromSeconds(10));
        await running.PassAsync(time, TimeSpan.FromSeconds(60));
        await running.PassAsync(time, TimeSpan.FromSeconds(300));

        var letter = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal((DeadLetterReason.HandlerFailed, 4, 4), (letter.Reason, letter.Attempts, letter.History.Count));
    }

    [Fact]
    public async Task Guard_WithoutAHandlerForItsEvent_IsAStartUpError()
    {
        var problem = await Assert.ThrowsAsync<EventBusConfigurationException>(() => RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Subscribe("fulfilment", s => s.On<OrderPaid>((_, _, _) => Task.CompletedTask).Guard<OrderShipped, ShippedAfterPaid>())));
        Assert.Contains("has a guard for EventBus.OrderShipped, and no handler for it", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// O1: a deferred event never runs concurrently with another event of its key in an ordered subscription.
    /// </summary>
    [Fact]
    public async Task Guard_InAnOrderedSubscription_RunsOneEventOfAKeyAtATime()
    {
        var (inside, most) = (0, 0);
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory();
                bus.Event<OrderPaid>().KeyedBy(_ => "k");
                bus.Event<OrderShipped>().KeyedBy(_ => "k");
                bus.Subscribe("fulfilment", s => s
                    .On<OrderPaid>(async (e, _, _) =>
                    {
                        await EnterAsync();
                        paid.Add(e.OrderId);
                    })
                    .On<OrderShipped>((_, _, _) => EnterAsync())
                    .Guard<OrderShipped, ShippedAfterPaid>()
                    .Ordered());
            },
            services: services => services.AddSingleton(paid));
        for (var i = 0; i < 200; i++)
        {
            await running.Bus.PublishAsync(new OrderShipped($"{i}"), Token);
        }

        for (var i = 0; i < 200; i++)
        {
            await running.Bus.PublishAsync(new OrderPaid($"{i}"), Token);
        }

        await running.WhenIdleAsync();
        Assert.Equal((400, 1), (seen.Items.Count, most));

        async Task EnterAsync()
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            seen.Add("handled");
        }
    }

    /// <summary>
    /// A custom guard next to a sequence evaluates only the event whose turn it is, so that skipping one event skips no
    /// other.
    /// </summary>
    [Fact]
    public async Task Guard_SkipsAheadOfTheSequence_SkipsNoOtherNumber()
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory();
                bus.Event<StepTaken>().KeyedBy(e => e.OrderId);
                bus.Subscribe("steps", s => s
                    .On<StepTaken>((e, _, _) =>
                    {
                        seen.Add($"{e.Number}");
                        return Task.CompletedTask;
                    })
                    .Guard<StepTaken, NoFives>()
                    .Sequenced<StepTaken>(e => e.Number, first: 3));
            });
        foreach (var number in new[] { 5, 3, 4, 6 })
        {
            await running.Bus.PublishAsync(new StepTaken("k", number), Token);
            await running.WhenIdleAsync();
        }

        Assert.Equal(["3", "4", "6"], seen.Items);
    }

    /// <summary>The scoped services of a guard are disposed after each decision, with or without a handler.</summary>
    [Fact]
    public async Task Guard_UsesAScopedService_DisposesItAfterEachDecision()
    {
        var scopes = new Scopes();
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory();
                bus.Event<OrderPaid>().KeyedBy(e => e.OrderId);
                bus.Event<OrderShipped>().KeyedBy(e => e.OrderId);
                bus.Subscribe("fulfilment", s => s
                    .On<OrderPaid>((e, _, _) =>
                    {
                        paid.Add(e.OrderId);
                        return Task.CompletedTask;
                    })
                    .On<OrderShipped>((_, _, _) => Task.CompletedTask).Guard<OrderShipped, ScopedGuard>());
            },
            time,
            services => services.AddSingleton(paid).AddSingleton(scopes).AddScoped<Scoped>());
        await running.Bus.PublishAsync(new OrderShipped("cancelled"), Token);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();
        Assert.Equal((2, 2), (scopes.Opened, scopes.Closed));

        await running.Bus.PublishAsync(new OrderPaid("1"), Token);
        await running.WhenIdleAsync();
        Assert.Equal((3, 3), (scopes.Opened, scopes.Closed));
    }

    private Task<RunningBus> StartAsync(bool ordered) => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory().Configure(options => options.Retry.Jitter = 0);
            bus.Event<OrderPaid>().KeyedBy(e => e.OrderId);
            bus.Event<OrderShipped>().KeyedBy(e => e.OrderId);
            bus.Subscribe("fulfilment", s =>
            {
                s.On<OrderPaid>((e, _, _) =>
                {
                    paid.Add(e.OrderId);
                    seen.Add($"paid {e.OrderId}");
                    return Task.CompletedTask;
                });
                s.On<OrderShipped>((e, _, _) =>
                {
                    seen.Add($"shipped {e.OrderId}");
                    return Task.CompletedTask;
                });
                s.Guard<OrderShipped, ShippedAfterPaid>();
                if (ordered)
                {
                    s.Ordered();
                }
            });
        },
        time,
        services => services.AddSingleton(paid));

    private sealed class PaidOrders
    {
        private readonly HashSet<string> ids = [];

        public void Add(string id)
        {
            lock (ids)
            {
                ids.Add(id);
            }
        }

        public bool Contains(string id)
        {
            lock (ids)
            {
                return ids.Contains(id);
            }
        }
    }

    private sealed class NoFives : IOrderGuard<StepTaken>
    {
        public Task<OrderDecision> DecideAsync(StepTaken e, EventContext context, CancellationToken ct) =>
            Task.FromResult(e.Number == 5 ? OrderDecision.Skip : OrderDecision.Proceed);
    }

    private sealed class Scopes
    {
        public int Opened;
        public int Closed;
    }

    private sealed class Scoped : IDisposable
    {
        private readonly Scopes scopes;

        public Scoped(Scopes scopes)
        {
            this.scopes = scopes;
            Interlocked.Increment(ref scopes.Opened);
        }

        public void Dispose() => Interlocked.Increment(ref scopes.Closed);
    }

    private sealed class ScopedGuard(Scoped scoped, PaidOrders paid) : IOrderGuard<OrderShipped>
    {
        public Task<OrderDecision> DecideAsync(OrderShipped e, EventContext context, CancellationToken ct) =>
            Task.FromResult(e.OrderId == "cancelled" || scoped is null ? OrderDecision.Skip
                : paid.Contains(e.OrderId) ? OrderDecision.Proceed
                : OrderDecision.Defer);
    }

    private sealed class ShippedAfterPaid(PaidOrders paid) : IOrderGuard<OrderShipped>
    {
        public Task<OrderDecision> DecideAsync(OrderShipped e, EventContext context, CancellationToken ct) => Task.FromResult(
            e.OrderId == "broken" ? throw new IOException("no database")
            : e.OrderId == "cancelled" ? OrderDecision.Skip
            : paid.Contains(e.OrderId) ? OrderDecision.Proceed
            : OrderDecision.Defer);
    }
}
