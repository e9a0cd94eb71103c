using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>The stores of one bus in an SQLite database.</summary>
internal sealed class SqliteStores(SqliteDatabase database, ILogger log) : BusStores
{
    private readonly SqlDelayStore delays = new(database, log);

    public override string Name => "in SQLite";

    public override KeyedFailureStore Failures { get; } = new SqlFailureStore(database);

    public override DelayStore Delays => delays;

    public override ProcessedEventStore Processed { get; } = new SqlProcessedEventStore(database);

    public override SagaStore Sagas { get; } = new SqlSagaStore(database);

    public override InstanceStore Instances { get; } = new SqlInstanceStore(database);

    public override SubscriptionStore Subscriptions { get; } = new SqlSubscriptionStore(database);

    public override IReadOnlyCollection<string> Shortages => [.. database.Problems, .. delays.Problems];

    public override TimeProvider CreateClock(TimeProvider time) => database.CreateClock(time);

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) =>
        database.OpenAsync(setup, cancellationToken);

    public override ValueTask CloseAsync() => database.CloseAsync();
}
