namespace EventBus;

/// <summary>
/// Marks a delivery as ended in its context, if it never needed a state. One object for each subscription.
/// </summary>
internal sealed class EndedDelivery(SubscriptionRuntime owner)
{
    public SubscriptionRuntime Owner => owner;
}
