namespace EventBus;

/// <summary>
/// Sends alerts about events that failed permanently. Register an implementation with <c>bus.AddAlert&lt;T&gt;()</c>.
/// A critical log entry and a metric are written with or without one.
/// </summary>
/// <remarks>
/// Each dead letter is reported at least once, also across restarts when the store is durable. Notifiers are called
/// outside of event processing. The bus makes one call at a time to a notifier, unless an earlier call ignores its
/// cancelled token. A call that fails is repeated after 1 s; the delay doubles with each failure, up to 5 min, until a
/// call succeeds. Notifiers are independent: one that fails does not delay the others.
/// </remarks>
public interface IDeadLetterNotifier
{
    /// <summary>Sends one alert.</summary>
    /// <param name="alert">The dead letters to report. Their ids let the receiver recognize a repeated alert.</param>
    /// <param name="cancellationToken">Cancelled after 30 s, or when the bus stops.</param>
    Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken);
}
