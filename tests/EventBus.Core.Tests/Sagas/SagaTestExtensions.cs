using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

internal static class SagaTestExtensions
{
    public static SagaStepBuilder<Trip> Step(this SagaBuilder<Trip> saga, string name, Script script, bool undo = false) => undo
        ? saga.Step(
            name,
            (context, ct) => script.RunAsync($"+{name}", context, ct),
            (context, ct) => script.RunAsync($"-{name}", context, ct))
        : saga.Step(name, (context, ct) => script.RunAsync($"+{name}", context, ct));

    /// <summary>Returns the saga store of a bus.</summary>
    public static Stores.SagaStore SagaStore(this RunningBus bus) => ((BusClient)bus.Bus).Running().SagaOperations!.Store;

    public static ISagas Sagas(this RunningBus bus) => bus.Services.GetRequiredService<ISagas>();

    public static SagaManager SagaManager(this RunningBus bus) => bus.Services.GetRequiredService<SagaManager>();

    public static Task<SagaResult<Trip>> RunTripAsync(this RunningBus bus, string id = "trip-1") =>
        bus.Sagas().RunAsync(new Trip("ada"), id, TestContext.Current.CancellationToken).WaitAsync(RunningBus.Patience);

    public static Task<RunningBus> StartTripsAsync(
        this Script script,
        Action<SagaBuilder<Trip>, Script>? define = null,
        Action<EventBusBuilder>? configure = null,
        TimeProvider? time = null,
        Action<IServiceCollection>? services = null) => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory().AddSaga<BookTrip, Trip>();
            configure?.Invoke(bus);
        },
        time,
        added =>
        {
            added.AddScoped(_ => new BookTrip(script, define));
            services?.Invoke(added);
        });
}
