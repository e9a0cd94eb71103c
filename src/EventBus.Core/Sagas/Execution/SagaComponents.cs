using EventBus.Stores;

namespace EventBus;

/// <summary>Contains the composed objects that run sagas.</summary>
internal sealed record SagaComponents
{
    public required SagaStore Store { get; init; }

    public required SagaCatalog Catalog { get; init; }

    public required SagaRepository Repository { get; init; }

    public required SagaRefusals Refusals { get; init; }

    public required SagaLeaseRenewer Leases { get; init; }

    public required SagaSlots Slots { get; init; }

    public required SagaDriver Driver { get; init; }

    public required SagaWaiters Waiters { get; init; }

    public required SagaReplies Replies { get; init; }

    /// <summary>Wakes the loop of due sagas, because a saga may be due.</summary>
    public required WakeSignal Due { get; init; }

    /// <summary>Starts the sagas that are due; null if this instance processes no sagas.</summary>
    public required ScheduledLoop? Loop { get; init; }

    /// <summary>Sends alerts for sagas that need attention; null if no notifier is registered.</summary>
    public required AlertCoordinator? Alerts { get; init; }

    /// <summary>Cancelled while the bus stops: sagas between two steps are left to other instances.</summary>
    public required CancellationTokenSource Draining { get; init; }
}
