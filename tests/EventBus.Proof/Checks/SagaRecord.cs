namespace EventBus.Proof;

/// <summary>The recorded data of the sagas of a run.</summary>
internal sealed record SagaRecord
{
    /// <summary>The expected final status of each started saga.</summary>
    public required IReadOnlyDictionary<long, SagaStatus> Planned { get; init; }

    /// <summary>The final status of the sagas in the store.</summary>
    public required IReadOnlyDictionary<long, SagaStatus> Rested { get; init; }

    /// <summary>The status of the sagas after operators have retried those that needed attention.</summary>
    public required IReadOnlyDictionary<long, SagaStatus> Ended { get; init; }

    /// <summary>The calls that the services recorded.</summary>
    public required IReadOnlyList<ServiceCall> Calls { get; init; }

    /// <summary>The alerts, in order.</summary>
    public required IReadOnlyList<long> Alerts { get; init; }

    public required IReadOnlyList<PublishedSagaEvent> PublishedEvents { get; init; }

    /// <summary>Ended sagas that a late reply has changed.</summary>
    public required IReadOnlyList<long> ChangedLate { get; init; }
}
