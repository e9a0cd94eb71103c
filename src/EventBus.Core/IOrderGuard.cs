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

/// <summary>What an order guard says of an event.</summary>
public enum OrderDecision
{
    /// <summary>It is its turn: start the handler.</summary>
    Proceed,

    /// <summary>An earlier event of its key is missing: let it wait.</summary>
    Defer,

    /// <summary>It comes too late to mean anything: acknowledge it without starting the handler.</summary>
    Skip,
}

/// <summary>How long events wait at an order guard.</summary>
public sealed class OrderGuardOptions
{
    /// <summary>How long an event may wait in all; then it becomes a dead letter (<see cref="DeadLetterReason.OutOfOrder"/>), with an alert. Default 5 min; 10 ms to 30 days.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>When to ask the guard again although nothing of the key has happened in this subscription, for guards that look at something else. Default 30 s; 10 ms to 30 days.</summary>
    public TimeSpan RecheckAfter { get; set; } = TimeSpan.FromSeconds(30);
}
