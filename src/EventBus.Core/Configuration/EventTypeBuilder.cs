namespace EventBus;

/// <summary>What holds for one event type wherever it is published.</summary>
/// <typeparam name="TEvent">The event type.</typeparam>
public sealed class EventTypeBuilder<TEvent>
    where TEvent : notnull
{
    private readonly EventTypeRegistration model;

    internal EventTypeBuilder(EventTypeRegistration model) => this.model = model;

    /// <summary>Says which key an event has: events of one key are handled in order by ordered subscriptions. A publish option wins over it.</summary>
    /// <param name="key">Gives the key, at most 256 characters; null for none. It is called from many threads at once.</param>
    public EventTypeBuilder<TEvent> KeyedBy(Func<TEvent, string?> key)
    {
        ArgumentNullException.ThrowIfNull(key);
        model.KeyOf = @event =>
        {
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

    /// <summary>Makes publishing fail when nobody listens, where the backend can tell. By default such an event is a success, counted, and warned of once.</summary>
    public EventTypeBuilder<TEvent> RequireSubscriber()
    {
        model.RequiresSubscriber = true;
        return this;
    }
}
