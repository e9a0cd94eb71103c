using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>The stores of a bus, some of which a proof replaces.</summary>
internal sealed class ProofStores(
    BusStores inner,
    RetryStore? failures = null,
    ProcessedEventStore? processed = null,
    SagaStore? sagas = null) : BusStores
{
    public override string Name => inner.Name;

    public override bool Durable => inner.Durable;

    public override RetryStore? Failures => failures ?? inner.Failures;

    public override DelayStore? Delays => inner.Delays;

    public override ProcessedEventStore? Processed => processed ?? inner.Processed;

    public override SagaStore? Sagas => sagas ?? inner.Sagas;

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) => inner.OpenAsync(setup, cancellationToken);

    public override ValueTask CloseAsync() => inner.CloseAsync();
}
