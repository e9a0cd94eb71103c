using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Provides the stores of one bus in memory. Their contents are lost when the process ends.</summary>
internal sealed class InMemoryStores(int capacity, ILogger log, bool roundTrip) : BusStores
{
    private readonly InMemoryFailureStore failures = new(capacity, log, roundTrip);
    private readonly InMemoryProcessedEventStore processed = new(capacity, log);

    public override string Name => "in memory";

    public override bool Durable => false;

    public override KeyedFailureStore Failures => failures;

    public override DelayStore Delays { get; } = new InMemoryDelayStore(capacity);

    public override ProcessedEventStore Processed => processed;

    public override SagaStore Sagas { get; } = new InMemorySagaStore(capacity);

    public override InstanceStore Instances { get; } = new InMemoryInstanceStore();

    public override IReadOnlyCollection<string> Shortages => [.. failures.Shortages(), .. processed.Shortages()];
}
