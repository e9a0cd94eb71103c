namespace EventBus;

/// <summary>Changes the settings of one event type, which apply wherever the event is published.</summary>
/// <typeparam name="TEvent">The event type.</typeparam>
public sealed class EventTypeBuilder<TEvent>
    where TEvent : notnull
{
    private readonly EventTypeRegistration registration;

    internal EventTypeBuilder(EventTypeRegistration registration) => this.registration = registration;

    /// <summary>
    /// Sets the function that returns the key of an event. Ordered subscriptions handle the events of one key in order.
    /// <see cref="PublishOptions.Key"/> takes precedence.
    /// </summary>
    /// <param name="key">
    /// Returns the key, 1 to 256 characters; null for no key. Called from many threads concurrently.
    /// </param>
    public EventTypeBuilder<TEvent> KeyedBy(Func<TEvent, string?> key)
    {
        ArgumentNullException.ThrowIfNull(key);
        registration.KeyOf = @event =>
        {
            // Async locals and other ambient values that the function sets must not reach the publisher.
            var ambient = AmbientState.Current;
            try
            {
                return key((TEvent)@event);
            }
            finally
            {
                ambient.Restore();
            }
        };
        return this;
    }

    /// <summary>
    /// Makes a publish fail if the event has no subscriber. Requires a backend that reports this. By default such a
    /// publish succeeds, is counted, and causes one warning per event type.
    /// </summary>
    public EventTypeBuilder<TEvent> RequireSubscriber()
    {
        registration.RequiresSubscriber = true;
        return this;
    }
}
