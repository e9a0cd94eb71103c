namespace EventBus;

/// <summary>
/// The options of an idempotent subscription, which define how it recognises events that it has already handled.
/// </summary>
public sealed class IdempotencyOptions
{
    private readonly Dictionary<Type, Func<object, string>> keys = [];

    /// <summary>
    /// The time for which a handled event is remembered. A copy that arrives later is handled again, so choose a time
    /// that is longer than the maximum delay of a copy. Default 7 days; 1 min to 10 years.
    /// </summary>
    [AllowedRange("00:01:00", "3653.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    internal bool HasKeys => keys.Count > 0;

    /// <summary>
    /// Recognises events of a type by a custom key instead of the event's id. Use it for publishers that give every
    /// copy a new id. Only events of the same type are compared: events of two types are no copies of each other, even
    /// if their keys are equal.
    /// </summary>
    /// <param name="key">Returns the key: 1 to 256 characters, the same for every copy. Called concurrently.</param>
    /// <typeparam name="TEvent">The event type that the handler takes.</typeparam>
    public IdempotencyOptions KeyedBy<TEvent>(Func<TEvent, string> key)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(key);
        keys[typeof(TEvent)] = @event => key((TEvent)@event);
        return this;
    }

    /// <summary>
    /// Returns the key function for events of a type. A function that was set for the type itself takes precedence over
    /// one that was set for an interface or an abstract class. Null if there is neither.
    /// </summary>
    internal Func<object, string>? KeyOf(Type type)
    {
        if (keys.TryGetValue(type, out var own))
        {
            return own;
        }

        // An interface is abstract, too. The value is null if no entry is found.
        return keys.FirstOrDefault(entry => entry.Key.IsAbstract && entry.Key.IsAssignableFrom(type)).Value;
    }
}
