namespace EventBus;

/// <summary>Contains a checked registration: everything that is needed to build a bus.</summary>
internal sealed record BusPlan
{
    /// <summary>The registration that was checked.</summary>
    public required BusRegistration Registration { get; init; }

    public required EventBusOptions Options { get; init; }

    /// <summary>The name of the bus on the backend and in the stores.</summary>
    public required string ServiceName { get; init; }

    public required EventJson Json { get; init; }

    public required EventRegistry Events { get; init; }

    /// <summary>The subscriptions that this instance consumes; none if it only publishes.</summary>
    public required IReadOnlyList<SubscriptionPlan> Subscriptions { get; init; }

    public required IReadOnlyList<SagaDescription> Sagas { get; init; }

    /// <summary>The types whose data JSON does not keep.</summary>
    public required IReadOnlyList<LostJsonData> LostJsonData { get; init; }
}
