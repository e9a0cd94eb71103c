using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Lets the retries of an ordered subscription run between two deliveries of their partition, and one at a time with
/// the other retries of the partition. Thread-safe.
/// </summary>
/// <remarks>
/// A delivery takes the delivery turn of its partition. A retry takes the retry turn. If its entry is not part of a
/// line, it takes the delivery turn first: a deferred event, or a dead letter that is retried after its key has
/// continued. Only subscriptions that can have such entries need turns.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle is never asked for holds nothing to dispose.")]
internal sealed class PartitionTurns(int partitions, BusServices services)
{
    private readonly SemaphoreSlim[] deliveryTurns = NewTurns(partitions);
    private readonly SemaphoreSlim[] retryTurns = NewTurns(partitions);

    /// <summary>Creates the turns of a subscription; null if it needs none.</summary>
    public static PartitionTurns? For(SubscriptionRuntime subscription, BusServices services) =>
        subscription.Guard is not null || subscription.FailurePolicy.ContinueWhenBlocked
            ? new PartitionTurns(subscription.Subscription.Concurrency, services)
            : null;

    /// <summary>Gets the turn that each delivery of a partition takes.</summary>
    public SemaphoreSlim DeliveryTurnOf(int partition) => deliveryTurns[partition];

    /// <summary>Takes the turns of a retry. Returns false if the bus aborts first.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="partition">The partition of its key.</param>
    /// <param name="taken">Receives the turns that were taken. The caller releases them in any case.</param>
    public async Task<bool> TryTakeAsync(FailedEvent entry, int partition, Stack<SemaphoreSlim> taken)
    {
        // The retry of an event in a line does not take the delivery turn: later deliveries of its key are parked
        // behind it anyway. While the store is full, a delivery may keep that turn until a retry succeeds and makes
        // room.
        var takesDeliveryTurn = entry.LineKey is null;
        return (!takesDeliveryTurn || await TryTakeAsync(deliveryTurns[partition], taken))
            && await TryTakeAsync(retryTurns[partition], taken);
    }

    private async Task<bool> TryTakeAsync(SemaphoreSlim turn, Stack<SemaphoreSlim> taken)
    {
        try
        {
            await turn.WaitAsync(services.Abort);
        }
        catch (OperationCanceledException)
        {
            return false;
        }

        taken.Push(turn);
        return true;
    }

    private static SemaphoreSlim[] NewTurns(int partitions) => [.. Enumerable.Range(0, partitions).Select(_ => new SemaphoreSlim(1))];
}
