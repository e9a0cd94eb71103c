namespace EventBus.Stores;

/// <summary>Stores that a test combines from single stores.</summary>
internal sealed class TestBusStores(
    string name,
    bool durable = true,
    RetryStore? failures = null,
    DelayStore? delays = null,
    ProcessedEventStore? processed = null,
    SagaStore? sagas = null,
    InstanceStore? instances = null) : BusStores
{
    public override string Name => name;

    public override bool Durable => durable;

    public override RetryStore? Failures => failures;

    public override DelayStore? Delays => delays;

    public override ProcessedEventStore? Processed => processed;

    public override SagaStore? Sagas => sagas;

    public override InstanceStore? Instances => instances;

    /// <summary>Creates the clock of the stores.</summary>
    public Func<TimeProvider, TimeProvider> Clock { get; init; } = time => time;

    /// <summary>Called when the stores open.</summary>
    public Action<StoreSetup> Opened { get; init; } = _ => { };

    public override TimeProvider CreateClock(TimeProvider time) => Clock(time);

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        Opened(setup);
        return ValueTask.CompletedTask;
    }
}
