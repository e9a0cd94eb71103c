using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Contains the composed objects of one bus.</summary>
internal sealed record BusComponents
{
    public required BusServices Services { get; init; }

    /// <summary>The name of the bus on the backend and in the stores.</summary>
    public required string ServiceName { get; init; }

    public required Transport Transport { get; init; }

    public required BusStores? Stores { get; init; }

    public required PublishComponents Publishing { get; init; }

    /// <summary>Wakes the loop of delayed events, when some may be due.</summary>
    public required WakeSignal DelaysDue { get; init; }

    /// <summary>Records and retries failed events; null if no store keeps them.</summary>
    public required RecoveryComponents? Recovery { get; init; }

    /// <summary>Publishes delayed events; null if no store keeps them.</summary>
    public required DelayComponents? Delays { get; init; }

    /// <summary>Runs sagas; null if the bus has none.</summary>
    public required SagaEngine? Sagas { get; init; }

    /// <summary>Starts and manages sagas; null if the bus has none.</summary>
    public required SagaOperations? SagaOperations { get; init; }

    /// <summary>Creates the workers; null if this instance consumes no subscription.</summary>
    public required SubscriptionFactory? Subscriptions { get; init; }

    public required SubscriptionWorkers Workers { get; init; }

    /// <summary>Determines whether the bus is idle.</summary>
    public required IdleCheck Idle { get; init; }

    /// <summary>Removes what the backend keeps for removed subscriptions.</summary>
    public required SubscriptionRetirement Retirement { get; init; }

    public required RetentionSweeper Sweeper { get; init; }

    /// <summary>
    /// Finds instances that consume the same subscriptions with other stores; null if all instances use the same
    /// stores, or the backend shares no subscriptions.
    /// </summary>
    public required UnknownConsumerMonitor? ConsumerMonitor { get; init; }

    /// <summary>Finds what removed subscriptions have left; null if the backend lists that itself.</summary>
    public required LeftoverWatch? Leftovers { get; init; }

    /// <summary>Reads the gauges of what the stores and the backend hold.</summary>
    public required StateCollector StateCollector { get; init; }
}
