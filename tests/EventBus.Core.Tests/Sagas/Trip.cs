using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

/// <summary>The state of the sagas that are tested.</summary>
internal sealed record Trip(string Traveller)
{
    public List<string> Done { get; init; } = [];
}

/// <summary>What the steps of a test do, and what they were asked for.</summary>
internal sealed class Script
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, int> failing = [];
    private readonly List<string> calls = [];
    private readonly List<string> keys = [];
    private readonly List<string> effects = [];

    /// <summary>What every step does first.</summary>
    public Func<string, SagaContext<Trip>, CancellationToken, Task>? Doing { get; set; }

    public Exception Error { get; set; } = new InvalidOperationException("planned");

    /// <summary>The runs: <c>+flight</c> for an execution, <c>-flight</c> for a compensation.</summary>
    public IReadOnlyList<string> Calls => Copy(calls);

    /// <summary>The idempotency keys of the runs.</summary>
    public IReadOnlyList<string> Keys => Copy(keys);

    /// <summary>The runs, as a service sees them that does nothing twice under one key.</summary>
    public IReadOnlyList<string> Effects => Copy(effects);

    /// <summary>Lets a run fail so many times.</summary>
    public void Fail(string run, int times = int.MaxValue) => failing[run] = times;

    public async Task RunAsync(string run, SagaContext<Trip> context, CancellationToken cancellationToken)
    {
        bool fails;
        lock (gate)
        {
            calls.Add(run);
            if (!keys.Contains(context.IdempotencyKey))
            {
                effects.Add(run);
            }

            keys.Add(context.IdempotencyKey);
            fails = failing.TryGetValue(run, out var left) && left > 0;
            failing[run] = left - 1;
        }

        await (Doing?.Invoke(run, context, cancellationToken) ?? Task.CompletedTask);
        context.State.Done.Add(run);
        if (fails)
        {
            throw Error;
        }
    }

    private IReadOnlyList<string> Copy(List<string> list)
    {
        lock (gate)
        {
            return [.. list];
        }
    }
}

/// <summary>Flight, hotel, payment, as the test wants them.</summary>
internal sealed class BookTrip(Script script, Action<SagaBuilder<Trip>, Script>? define = null) : Saga<Trip>
{
    protected internal override void Define(SagaBuilder<Trip> saga)
    {
        if (define is not null)
        {
            define(saga, script);
            return;
        }

        foreach (var name in (string[])["flight", "hotel", "payment"])
        {
            saga.Step(name, script, undo: true).Retry(0).RetryCompensation(0).RejectedBy<DeclinedException>();
        }
    }
}

internal sealed class DeclinedException() : Exception("declined");

/// <summary>A question that a step asks, and its answer.</summary>
internal sealed record PaymentRequested(string TripId);

internal sealed record PaymentSettled(string TripId, string Receipt);

internal static class SagaTestExtensions
{
    public static SagaStepBuilder<Trip> Step(this SagaBuilder<Trip> saga, string name, Script script, bool undo = false) => undo
        ? saga.Step(
            name,
            (context, ct) => script.RunAsync($"+{name}", context, ct),
            (context, ct) => script.RunAsync($"-{name}", context, ct))
        : saga.Step(name, (context, ct) => script.RunAsync($"+{name}", context, ct));

    /// <summary>Where a bus keeps its sagas.</summary>
    public static Stores.SagaStore SagaStore(this RunningBus bus) => ((BusClient)bus.Bus).Running().SagaOperations!.Store;

    public static ISagas Sagas(this RunningBus bus) => bus.Services.GetRequiredService<ISagas>();

    public static SagaManager SagaManager(this RunningBus bus) => bus.Services.GetRequiredService<SagaManager>();

    public static Task<SagaResult<Trip>> RunTripAsync(this RunningBus bus, string id = "trip-1") =>
        bus.Sagas().RunAsync(new Trip("ada"), id, TestContext.Current.CancellationToken).WaitAsync(RunningBus.Patience);

    public static Task<RunningBus> StartTripsAsync(
        this Script script,
        Action<SagaBuilder<Trip>, Script>? define = null,
        Action<EventBusBuilder>? configure = null,
        TimeProvider? time = null) => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory().AddSaga<BookTrip, Trip>();
            configure?.Invoke(bus);
        },
        time,
        services => services.AddScoped(_ => new BookTrip(script, define)));
}
