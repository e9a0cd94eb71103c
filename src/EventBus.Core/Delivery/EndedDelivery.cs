namespace EventBus;

/// <summary>
/// Stands in a context for the state of a delivery that has ended without one. One for each subscription.
/// </summary>
internal sealed class EndedDelivery(SubscriptionRuntime owner)
{
    public SubscriptionRuntime Owner => owner;
}
