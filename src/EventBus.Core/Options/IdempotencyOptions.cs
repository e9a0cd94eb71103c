namespace EventBus;

/// <summary>Options for how an idempotent subscription recognises events that it has already handled.</summary>
public sealed class IdempotencyOptions
{
    private readonly Dictionary<Type, Func<object, string>> keys = [];

    /// <summary>
    /// The time for which a handled event is remembered; a copy that arrives later is handled again. Choose it longer
    /// than the maximum delay of a copy. Default 7 days; 1 min to 10 years.
    /// </summary>
    [AllowedRange("00:01:00", "3653.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    internal bool HasKeys => keys.Count > 0;

    /// <summary>
    /// Recognises events of a type by a custom key instead of the event's id. Use it for publishers that give every
    /// copy a new id. A key belongs to one type: the same key of another type is not a copy.
    /// </summary>
    /// <param name="key">Returns the key: 1 to 256 characters, the same for every copy. Called concurrently.</param>
    /// <typeparam name="TEvent">The event type that the handler takes.</typeparam>
    public IdempotencyOptions KeyBy<TEvent>(Func<TEvent, string> key)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(key);
        keys[typeof(TEvent)] = @event => key((TEvent)@event);
        return this;
    }

    /// <summary>
    /// Returns the key function of an event type: that of the type itself, or of an interface or abstract class that
    /// the type is assignable to. Null for none.
    /// </summary>
    internal Func<object, string>? KeyOf(Type type) =>
        keys.TryGetValue(type, out var own) ? own : keys.FirstOrDefault(key => key.Key.IsAbstract && key.Key.IsAssignableFrom(type)).Value;
}
