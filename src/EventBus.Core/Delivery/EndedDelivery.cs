namespace EventBus;

/// <summary>
/// Replaces the state in the context of a delivery that has ended and never needed a state. One for each subscription.
/// </summary>
internal sealed class EndedDelivery(SubscriptionRuntime owner)
{
    public SubscriptionRuntime Owner => owner;
}
