using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that ambient state that a synchronous handler sets (a tenant, a culture, an activity) does not reach the
/// next event.
/// </summary>
public sealed class AmbientStateTests
{
    private static readonly AsyncLocal<string?> Tenant = new();

    private readonly Seen seen = new();

    public static TheoryData<string> Subscriptions =>
        new(["plain", "idempotent", "ordered", "guarded", "paused-when-failing", "middleware", "blocking"]);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Subscriptions))]
    public async Task Handler_LeavesAmbientState_NextEventDoesNotSeeIt(string kind)
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory().StoreInMemory();
            if (kind == "middleware")
            {
                bus.Use((context, next, cancellationToken) =>
                {
                    RecordAndChange();
                    return next(context, cancellationToken);
                });
            }

            bus.Subscribe("mail", s => Configure(kind, s.Concurrency(1)).On<OrderPlaced>((_, _, _) =>
            {
                if (kind != "middleware")
                {
                    RecordAndChange();
                }

                if (kind == "blocking")
                {
                    // Long enough for the bus to detect that the handler blocks its thread, so that helpers run the
                    // next events.
                    var since = Stopwatch.GetTimestamp();
                    SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(since) > TimeSpan.FromMilliseconds(3));
                }

                return Task.CompletedTask;
            }));
        });

        await running.Bus.PublishManyAsync([.. Enumerable.Range(0, 20).Select(i => new OrderPlaced($"{i}"))], cancellationToken: Token);
        await running.WhenIdleAsync();

        Assert.Equal(Enumerable.Repeat("", 20), seen.Items);
    }

    [Fact]
    public async Task Handler_LeavesAmbientStateAndFails_RetriesAndOthersDoNotSeeIt()
    {
        var time = new FakeTimeProvider();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Retry(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1))
            .Subscribe("mail", s => s.Concurrency(1).On<OrderPlaced>((_, _, _) =>
            {
                RecordAndChange();
                throw new InvalidOperationException("mail server down");
            })), time);

        await running.Bus.PublishManyAsync([.. Enumerable.Range(0, 5).Select(i => new OrderPlaced($"{i}"))], cancellationToken: Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromSeconds(2));
        await running.PassAsync(time, TimeSpan.FromSeconds(2));

        Assert.Equal(Enumerable.Repeat("", 15), seen.Items);
    }

    [Fact]
    public async Task Alert_LeavesAmbientState_NextAlertDoesNotSeeIt()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(0).AddAlert<StateChangingAlert>()
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new InvalidOperationException("no mail"))
                .Subscribe<OrderPlaced>("stock", (_, _, _) => throw new InvalidOperationException("no stock")),
            services: services => services.AddSingleton(this));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["", ""], seen.Items);
    }

    [Fact]
    public async Task Saga_StepLeavesAmbientState_NextStepDoesNotSeeIt()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().StoreInMemory().AddSaga<StateChangingSaga, StateChangingSagaState>(),
            services: services => services.AddSingleton(this));
        var sagas = running.Services.GetRequiredService<ISagas>();

        await sagas.RunAsync(new StateChangingSagaState("1"), cancellationToken: Token);
        await sagas.RunAsync(new StateChangingSagaState("2"), cancellationToken: Token);

        Assert.Equal(Enumerable.Repeat("", 4), seen.Items);
    }

    [Fact]
    public async Task Key_FunctionLeavesAmbientState_PublisherDoesNotSeeIt()
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask);
            bus.Event<OrderPlaced>().KeyedBy(e =>
            {
                RecordAndChange();
                return e.OrderId;
            });
        });

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["", ""], seen.Items);
    }

    private static SubscriptionBuilder Configure(string kind, SubscriptionBuilder subscription) => kind switch
    {
        "idempotent" => subscription.Idempotent(),
        "ordered" => subscription.Ordered(),
        "guarded" => subscription.Sequenced<OrderPlaced>(e => int.Parse(e.OrderId, CultureInfo.InvariantCulture) + 1),
        "paused-when-failing" => subscription.CircuitBreaker(10, TimeSpan.FromSeconds(10)),
        _ => subscription,
    };

    /// <summary>Records the state of an earlier event, and then sets its own.</summary>
    private void RecordAndChange()
    {
        var found = Tenant.Value
            + (CultureInfo.CurrentCulture.Name == "tr-TR" ? " culture" : "")
            + (Activity.Current?.OperationName == "left" ? " activity" : "")
            + (SynchronizationContext.Current is LeftContext ? " context" : "");
        seen.Add(found);
        Tenant.Value = "tenant of another event";
        CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("tr-TR");
        Activity.Current = new Activity("left").Start();
        SynchronizationContext.SetSynchronizationContext(new LeftContext());
    }

    private sealed class LeftContext : SynchronizationContext;

    private sealed class StateChangingAlert(AmbientStateTests test) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            test.RecordAndChange();
            return Task.CompletedTask;
        }
    }

    private sealed record StateChangingSagaState(string Name);

    private sealed class StateChangingSaga(AmbientStateTests test) : Saga<StateChangingSagaState>
    {
        protected internal override void Define(SagaBuilder<StateChangingSagaState> saga)
        {
            saga.Step("first", (_, _) => Leave());
            saga.Step("second", (_, _) => Leave());
        }

        private Task Leave()
        {
            test.RecordAndChange();
            return Task.CompletedTask;
        }
    }
}
