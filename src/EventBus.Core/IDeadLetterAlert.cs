namespace EventBus;

/// <summary>Tells people that an event failed for good. Register it with <c>bus.AlertWith&lt;T&gt;()</c>; a critical log entry and a metric come without it.</summary>
/// <remarks>Called at least once for each dead letter, one call at a time, never on the path of an event; when more than 1,000 wait, the rest are told of together in a critical log entry. A failing alert is tried again 3 times, then logged.</remarks>
public interface IDeadLetterAlert
{
    /// <summary>Sends one alert.</summary>
    /// <param name="deadLetter">The event that failed. Its id lets the receiver recognise a repeated alert.</param>
    /// <param name="cancellationToken">Cancelled after 30 s, or when the bus stops.</param>
    Task AlertAsync(DeadLetter deadLetter, CancellationToken cancellationToken);
}
