namespace EventBus;

/// <summary>What the drivers of all sagas of a bus share.</summary>
internal sealed record SagaServices(SagaRepository Keeper, Publisher Publisher, AlertCoordinator? Alerts, RunEnvironment Environment)
{
    /// <summary>Something may be due.</summary>
    public required Action Wake { get; init; }

    /// <summary>A saga has ended, or needs people.</summary>
    public required Action<string> Ended { get; init; }

    /// <summary>The bus stops: what is between two steps is left to others.</summary>
    public bool IsStopping { get; set; }
}
