namespace EventBus;

/// <summary>
/// Decides before a handler runs whether an event may be handled now: "shipped" may have to wait for "paid". Add it
/// with <c>.Guard&lt;TEvent, TGuard&gt;()</c>. <c>.Sequenced(...)</c> adds a guard that comes with the library.
/// </summary>
/// <remarks>
/// The guard is created in the scope of each delivery, unless it is registered as a singleton. It should decide by
/// state, not by clocks. A deferred event is evaluated again whenever the subscription has finished another event of
/// the same key, after <see cref="OrderGuardOptions.RecheckAfter"/>, and after restarts. If the guard throws, the
/// attempt counts as failed.
/// </remarks>
/// <typeparam name="TEvent">The event type.</typeparam>
public interface IOrderGuard<in TEvent>
    where TEvent : notnull
{
    /// <summary>Decides whether an event may be handled now.</summary>
    /// <param name="event">The event.</param>
    /// <param name="context">
    /// The delivery. Events that the guard publishes through it are sent together with those of the handler.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancelled when the handler timeout has passed, when the lease on the event is lost, or when the bus stops.
    /// </param>
    Task<OrderDecision> DecideAsync(TEvent @event, EventContext context, CancellationToken cancellationToken);
}
