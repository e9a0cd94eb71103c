using System.Collections.ObjectModel;

namespace EventBus;

/// <summary>Describes the state of a running bus for the health check.</summary>
internal sealed class BusStatus(BusComponents parts)
{
    public bool FailureStoreIsDown => parts.Recovery is { Recorder.StoreIsDown: true };

    public bool SagaStoreIsDown => parts.Sagas is { StoreIsDown: true };

    /// <summary>The ids of the sagas that the saga store rejects while it accepts others.</summary>
    public IReadOnlyList<string> RefusedSagas => parts.Sagas?.Refused ?? [];

    /// <summary>
    /// The subscriptions that take no events although the bus runs. Empty unless a transport violates its contract.
    /// </summary>
    public IEnumerable<string> EndedSubscriptions => parts.Workers.All.Where(worker => worker.HasEnded).Select(worker => worker.Name);

    /// <summary>
    /// The subscriptions that take no events because the store accepts no writes for them, each with the reason.
    /// </summary>
    public IEnumerable<(string Subscription, string Reason)> HeldSubscriptions
    {
        get
        {
            foreach (var worker in parts.Workers.All)
            {
                if (worker.HeldBecause is { } reason)
                {
                    yield return (worker.Name, reason);
                }
            }
        }
    }

    /// <summary>
    /// The subscriptions whose events the broker dead-lettered and the store rejects, each with the reason.
    /// </summary>
    public IEnumerable<(string Subscription, string Reason)> HeldBrokerDeadLetters =>
        parts.Recovery?.BrokerDeadLetters?.HeldSubscriptions ?? [];

    /// <summary>
    /// The problem with other instances that share the subscriptions but not the store; null if there are none.
    /// </summary>
    public string? UnknownConsumers => parts.ConsumerMonitor?.Problem;

    /// <summary>
    /// The queues that removed subscriptions have left on the backend and that no instance consumes. The key is the
    /// name of the queue; the value says how to remove it.
    /// </summary>
    public IReadOnlyDictionary<string, object> Leftovers => parts.Leftovers?.Data ?? ReadOnlyDictionary<string, object>.Empty;

    /// <summary>
    /// The problems of the stores, and the kinds of data for which they will soon have no space, one sentence each.
    /// </summary>
    public IReadOnlyCollection<string> Shortages => parts.Stores?.Shortages ?? [];

    /// <summary>The subscriptions that are paused because all their attempts fail.</summary>
    public IEnumerable<string> PausedSubscriptions =>
        parts.Workers.All.Where(worker => worker.CircuitBreaker is { IsPaused: true }).Select(worker => worker.Name);

    /// <summary>The subscriptions that an operator has paused.</summary>
    public IEnumerable<string> SubscriptionsPausedByOperator =>
        parts.Workers.All.Where(worker => worker.OperatorGate.IsClosed).Select(worker => worker.Name);
}
