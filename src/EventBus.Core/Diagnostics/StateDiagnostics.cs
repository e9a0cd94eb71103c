using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>
/// Creates the gauges of what the stores and the backend hold. Instances that share a store or a broker report the same
/// values.
/// </summary>
internal sealed class StateDiagnostics(Meter meter, TelemetryTags tags)
{
    /// <summary>The dead letters of a subscription.</summary>
    public StateMetric<long> DeadLetters { get; } =
        new(meter, "eventbus.dead_letters.stored", "{message}", "Dead letters in the store.");

    /// <summary>The events of a subscription that wait for a retry.</summary>
    public StateMetric<long> Waiting { get; } = new(meter, "eventbus.retries.waiting", "{message}", "Events that wait for a retry.");

    /// <summary>The time for which the oldest due event of a subscription has been due, in seconds.</summary>
    public StateMetric<double> OldestAge { get; } = new(
        meter, "eventbus.retries.oldest_age", "s", "The time for which the oldest retry or deferred event that is due has been due.");

    /// <summary>The events of a subscription that are parked behind a failed event of their key.</summary>
    public StateMetric<long> Parked { get; } = new(
        meter, "eventbus.events.parked", "{message}", "Events that are parked behind a failed event of their key.");

    /// <summary>The events of a subscription that an order guard deferred.</summary>
    public StateMetric<long> Deferred { get; } =
        new(meter, "eventbus.events.deferred", "{message}", "Events that an order guard deferred.");

    /// <summary>The delayed events.</summary>
    public StateMetric<long> Delayed { get; } =
        new(meter, "eventbus.events.delayed", "{message}", "Delayed events that are not published yet.");

    /// <summary>The sagas that execute or compensate steps, or wait.</summary>
    public StateMetric<long> SagasRunning { get; } =
        new(meter, "eventbus.sagas.running", "{saga}", "Sagas that have not ended and need no operator.");

    /// <summary>The sagas that need an operator.</summary>
    public StateMetric<long> SagasNeedingAttention { get; } =
        new(meter, "eventbus.sagas.needing_attention", "{saga}", "Sagas that need an operator.");

    /// <summary>The events of a subscription that the backend has not delivered yet.</summary>
    public StateMetric<long> BacklogWaiting { get; } = new(
        meter, "eventbus.backlog.waiting", "{message}", "Events that the backend holds for a subscription and has not delivered yet.");

    /// <summary>The events of a subscription that were delivered and not acknowledged.</summary>
    public StateMetric<long> BacklogInFlight { get; } = new(
        meter, "eventbus.backlog.in_flight", "{message}", "Events that the backend has delivered and that are not acknowledged.");

    /// <summary>The receivers that consume a subscription.</summary>
    public StateMetric<long> BacklogConsumers { get; } = new(
        meter, "eventbus.backlog.consumers", "{consumer}", "Receivers that consume a subscription, in all instances.");

    /// <summary>Returns a value with the tags of a subscription; null for all subscriptions together.</summary>
    public Measurement<T> OfSubscription<T>(T value, string? subscription)
        where T : struct => new(value, tags.OfState(subscription));

    /// <summary>Returns a value with the tags of a saga.</summary>
    public Measurement<long> OfSaga(long value, string saga, string status) => new(value, tags.OfSaga(saga, status));
}
