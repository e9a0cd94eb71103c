namespace EventBus;

/// <summary>One step in handling a delivery: calls the next step, or returns an outcome without it.</summary>
/// <remarks>
/// Reports exceptions in the returned task. When the next step has completed synchronously and nothing is left to do, a
/// step completes synchronously too and allocates nothing: that is the quick path of events in memory.
/// </remarks>
internal abstract class DeliveryStep
{
    /// <summary>Handles the delivery from this step on.</summary>
    /// <param name="context">The context of the delivery.</param>
    /// <param name="now">
    /// The time of the call, as a timestamp of the clock of the bus. To read the clock costs as much as most steps. A
    /// step that has waited passes on a new timestamp.
    /// </param>
    /// <param name="cancellationToken">Cancelled when this instance has lost the event to another one.</param>
    public abstract ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken);
}
