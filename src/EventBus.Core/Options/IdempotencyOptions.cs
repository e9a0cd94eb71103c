namespace EventBus;

/// <summary>How an idempotent subscription recognises what it has handled.</summary>
public sealed class IdempotencyOptions
{
    private readonly Dictionary<Type, Func<object, string>> keys = [];

    /// <summary>How long a handled event is remembered; a copy that comes later runs again. Longer than any copy can be late. Default 7 days; 1 min to 10 years.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    internal bool HasKeys => keys.Count > 0;

    /// <summary>Recognises events of a type by a key of your own instead of the event's id: for publishers that give every copy a new id. A key belongs to one type: the same key of another type is no copy.</summary>
    /// <param name="key">Gives the key, 1 to 256 characters, the same for every copy; called from many threads at once.</param>
    /// <typeparam name="TEvent">The event type, as the handler takes it.</typeparam>
    public IdempotencyOptions KeyBy<TEvent>(Func<TEvent, string> key)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(key);
        keys[typeof(TEvent)] = @event => key((TEvent)@event);
        return this;
    }

    /// <summary>What gives the key of an event: the function for its own type, or for an interface or an abstract class that it is assignable to. Null for none.</summary>
    internal Func<object, string>? KeyOf(Type type) =>
        keys.TryGetValue(type, out var own) ? own : keys.FirstOrDefault(key => key.Key.IsAbstract && key.Key.IsAssignableFrom(type)).Value;
}
