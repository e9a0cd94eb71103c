using EventBus.Stores;

namespace EventBus;

/// <summary>Contains the composed objects that record failed events and retry them.</summary>
internal sealed record RecoveryComponents
{
    public required RetryStore Store { get; init; }

    public required DurableWriter Writer { get; init; }

    public required FailureRecorder Recorder { get; init; }

    public required AttemptCounter Attempts { get; init; }

    public required RedeliveryCoordinator Redeliveries { get; init; }

    public required OrderTracker Order { get; init; }

    public required FailurePolicies Policies { get; init; }

    public required AlertCoordinator Alerts { get; init; }

    /// <summary>Wakes the loop of retries, when some may be due.</summary>
    public required WakeSignal RetriesDue { get; init; }

    public required RetryLeaseRenewer Leases { get; init; }

    /// <summary>Renews the claims of idempotent subscriptions; null if no store keeps them.</summary>
    public required ClaimLeaseRenewer? ClaimLeases { get; init; }

    public required RetryScheduler Scheduler { get; init; }

    public required ScheduledLoop RetryLoop { get; init; }

    /// <summary>Records the dead letters of the broker; null if the broker has none.</summary>
    public BrokerDeadLetterLoop? BrokerDeadLetters { get; init; }
}
