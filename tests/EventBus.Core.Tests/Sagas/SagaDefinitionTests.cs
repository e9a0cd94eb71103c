using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

/// <summary>Shows that mistakes in a saga are reported at the start, each with its fix.</summary>
public sealed class SagaDefinitionTests
{
    [Fact]
    public async Task Define_WithMistakes_ReportsThemTogether()
    {
        var problems = await ProblemsAsync(saga =>
        {
            saga.Step("Flight Booking", Nothing);
            saga.Step("hotel", Nothing, Nothing);
            saga.Step("hotel", Nothing).Retry(101).Timeout(TimeSpan.FromDays(2)).RetryCompensation(1);
            saga.Pivot("payment", Nothing);
            saga.Pivot("second", Nothing).WaitFor<PaymentSettled>(TimeSpan.Zero);
            saga.Step("late", Nothing, Nothing);
        });

        Expect(problems, "The step name 'Flight Booking' of the saga 'book-trip' is invalid");
        Expect(problems, "has 2 steps named 'hotel'");
        Expect(problems, "Saga 'book-trip'.Step 'hotel'.Retry.MaxRetryAttempts is 101; 0 to 100 are allowed");
        Expect(problems, "The timeout of the step 'hotel'");
        Expect(problems, "RetryCompensation is set on the step 'hotel' of the saga 'book-trip', which has no compensation");
        Expect(problems, "several pivots");
        Expect(problems, "The step 'late' of the saga 'book-trip' comes after the pivot");
        Expect(problems, "The wait for the reply of the step 'second'");
    }

    [Fact]
    public async Task Define_WithoutSteps_IsAnError() => Expect(await ProblemsAsync(_ => { }), "has 0 steps");

    [Fact]
    public async Task Define_Throws_IsAnErrorThatNamesTheSaga() => Expect(
        await ProblemsAsync(_ => throw new InvalidOperationException("no luck")),
        "The saga 'book-trip' (EventBus.Sagas.BookTrip) cannot be created to read its steps: no luck");

    [Fact]
    public async Task AddSaga_TwiceUnderOneNameOrState_IsAnError()
    {
        var problems = await ProblemsAsync(Good, bus => bus.AddSaga<SecondTrip, Trip>("book-trip"));

        Expect(problems, "Several sagas are named 'book-trip'");
        Expect(problems, "share the state type EventBus.Sagas.Trip");
        Expect(
            await ProblemsAsync(Good, bus => bus.AddSaga<SagaStartTests.OtherSaga, SagaStartTests.Other>("two words")),
            "The saga name 'two words' is invalid");
    }

    [Fact]
    public async Task Sagas_WithoutAStore_IsAnErrorThatNamesTheCalls() =>
        Expect(
            await ProblemsAsync(Good, bus => bus.UseStores(_ => new TestBusStores("poor", failures: new InMemoryFailureStore(1)))),
            "the store 'poor' does not. Add one that does: bus.StoreInSqlite(...)");

    [Fact]
    public async Task Options_OutOfRange_AreErrors()
    {
        var problems = await ProblemsAsync(
            Good,
            bus => bus.Configure(o => (o.Sagas.Concurrency, o.Sagas.StepTimeout, o.Sagas.Retention) = (0, TimeSpan.Zero, TimeSpan.Zero)));

        Expect(problems, "EventBusOptions.Sagas.Concurrency is 0");
        Expect(problems, "EventBusOptions.Sagas.StepTimeout");
        Expect(problems, "EventBusOptions.Sagas.Retention");
    }

    [Fact]
    public async Task Subscription_WithTheNameOfTheReplySubscription_IsAnError() => Expect(
        await ProblemsAsync(
            saga => saga.Step("payment", Nothing).WaitFor<PaymentSettled>(TimeSpan.FromMinutes(1)),
            bus => bus.Subscribe<PaymentSettled>("saga.book-trip", (_, _, _) => Task.CompletedTask)),
        "The subscription name 'saga.book-trip' is used for the replies to the saga 'book-trip'");

    private static void Good(SagaBuilder<Trip> saga) => saga.Step("flight", Nothing);

    private static Task Nothing(SagaContext<Trip> context, CancellationToken cancellationToken) => Task.CompletedTask;

    private static void Expect(IReadOnlyList<string> problems, string text) =>
        Assert.Contains(problems, problem => problem.Contains(text, StringComparison.Ordinal));

    private static async Task<IReadOnlyList<string>> ProblemsAsync(
        Action<SagaBuilder<Trip>> define,
        Action<EventBusBuilder>? configure = null) => (await Assert.ThrowsAsync<EventBusConfigurationException>(async () =>
    {
        await using var bus = await new Script().StartTripsAsync((saga, _) => define(saga), configure);
    })).Problems;

    internal sealed class SecondTrip : Saga<Trip>
    {
        protected internal override void Define(SagaBuilder<Trip> saga) => Good(saga);
    }
}
