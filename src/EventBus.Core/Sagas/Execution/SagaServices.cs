namespace EventBus;

/// <summary>Holds the objects that the executors of all sagas of a bus share.</summary>
internal sealed record SagaServices(SagaRepository Keeper, Publisher Publisher, AlertCoordinator? Alerts, BusServices Services)
{
    /// <summary>Called when a saga may be due.</summary>
    public required Action Wake { get; init; }

    /// <summary>Called when a saga has ended or needs attention.</summary>
    public required Action<string> Ended { get; init; }

    /// <summary>True while the bus stops: sagas between two steps are left to other instances.</summary>
    public bool IsStopping { get; set; }
}
