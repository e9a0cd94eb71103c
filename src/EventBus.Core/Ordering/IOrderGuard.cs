namespace EventBus;

/// <summary>Decides, before a handler is started, whether it is an event's turn: "shipped" may have to wait for "paid". Add it with <c>.Guard&lt;TEvent, TGuard&gt;()</c>; <c>.Sequenced(...)</c> is one that ships with the library.</summary>
/// <remarks>
/// Made in the scope of each delivery unless it is registered as a singleton. It decides by state, never by clocks: what it lets wait is judged again whenever the subscription has dealt with another event of the same
/// key, after <see cref="OrderGuardOptions.RecheckAfter"/>, and after restarts. A guard that throws counts as a failed start.
/// </remarks>
/// <typeparam name="TEvent">The event type.</typeparam>
public interface IOrderGuard<in TEvent>
    where TEvent : notnull
{
    /// <summary>Decides.</summary>
    /// <param name="event">The event.</param>
    /// <param name="context">Its delivery; what is published through it before the handler runs leaves with what the handler publishes.</param>
    /// <param name="cancellationToken">Cancelled when the handler's time-out has passed, or the bus stops.</param>
    Task<OrderDecision> DecideAsync(TEvent @event, EventContext context, CancellationToken cancellationToken);
}
