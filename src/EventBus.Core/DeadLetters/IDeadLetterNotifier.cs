namespace EventBus;

/// <summary>Tells people that events failed for good. Register it with <c>bus.AlertWith&lt;T&gt;()</c>; a critical log entry and a metric come without it.</summary>
/// <remarks>
/// Every dead letter is told of at least once, also across restarts where the store is durable. Never on the path of an event, and one call at a time, unless an earlier one ignores its cancelled token.
/// A call that fails is made again after 1 s, then after twice as long each time, at most 5 min, until it succeeds. Each registered alert goes its own way: one that fails holds up no other.
/// </remarks>
public interface IDeadLetterNotifier
{
    /// <summary>Sends one alert.</summary>
    /// <param name="alert">What failed. The ids let the receiver recognise a repeated alert.</param>
    /// <param name="cancellationToken">Cancelled after 30 s, or when the bus stops.</param>
    Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken);
}
