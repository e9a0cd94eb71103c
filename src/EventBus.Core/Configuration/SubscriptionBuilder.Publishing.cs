namespace EventBus;

// How the handlers of the subscription publish.
public sealed partial class SubscriptionBuilder
{
    /// <summary>
    /// States that the handlers of this subscription publish through <see cref="IEventBus"/> on purpose: at once, and
    /// also if the handler fails afterwards. Without this call, the bus logs a warning when it starts for each handler
    /// type whose constructor takes the bus of its own subscription.
    /// </summary>
    /// <remarks>
    /// Usually <see cref="EventContext.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/> is right:
    /// its events are sent only after the handler has succeeded, with the same ids at each attempt.
    /// </remarks>
    public SubscriptionBuilder PublishesDirectly()
    {
        subscription.PublishesDirectly = true;
        return this;
    }
}
