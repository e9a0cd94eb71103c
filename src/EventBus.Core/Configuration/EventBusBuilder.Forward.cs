namespace EventBus;

// Forwarding to another bus of the application.
public sealed partial class EventBusBuilder
{
    /// <summary>
    /// Forwards every event of this bus whose name matches a pattern to another bus of the application, whether or not
    /// the application knows the event type: with the same id, the same attributes and the same bytes, at least once.
    /// </summary>
    /// <remarks>
    /// <para>
    /// A forward is a subscription of this bus. An event is acknowledged here after the other bus has accepted it. An
    /// event that the other bus did not accept is retried; one that it rejects, or that this bus has forwarded before
    /// (a loop), becomes a dead letter at once. The events of one key are forwarded in order if the backend of this bus
    /// keeps the order and its store keeps keys; otherwise a warning is logged when the bus starts. A dead letter holds
    /// back no later event of its key, unless <paramref name="configure"/> says so
    /// (<see cref="SubscriptionBuilder.OnBlockedKey"/>).
    /// </para>
    /// <para>
    /// The following are errors when the bus starts: an unknown bus, this bus itself, buses that forward events to each
    /// other in a circle, and a bus in memory without a subscription for the events.
    /// </para>
    /// </remarks>
    /// <param name="pattern">The pattern of event names, as in <see cref="SubscribePattern"/>.</param>
    /// <param name="to">The key of the other bus (<c>AddKeyedEventBus</c>); null for the default bus.</param>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application. Default:
    /// <c>forward-</c> and the key in lower case (<c>forward-analytics</c>); <c>forward-default</c> for the default
    /// bus. A second forward to the same bus needs a name.
    /// </param>
    /// <param name="configure">Changes the settings of the subscription; null for the defaults.</param>
    public EventBusBuilder Forward(
        string pattern,
        string? to,
        string? name = null,
        Action<SubscriptionBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        var subscription = new SubscriptionRegistration(name ?? ForwardRegistration.SubscriptionOf(to))
        {
            Pattern = pattern,
            Forward = new ForwardRegistration(to),
            ContinueWhenBlocked = true,
        };

        // The other bus has refused the event as it is, so a retry would not help.
        subscription.IsPermanent.Add(static exception => exception is PublishException { Failure: PublishFailure.Rejected });
        registration.Subscriptions.Add(subscription);
        configure?.Invoke(new SubscriptionBuilder(registration, subscription));
        return this;
    }
}
