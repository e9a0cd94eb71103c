namespace EventBus;

/// <summary>Tells people that events failed for good. Register it with <c>bus.AlertWith&lt;T&gt;()</c>; a critical log entry and a metric come without it.</summary>
/// <remarks>
/// Every dead letter is told of at least once, also across restarts where the store is durable. Never on the path of an event, and one call at a time, unless an earlier one ignores its cancelled token.
/// A call that fails is made again after 1 s, then after twice as long each time, at most 5 min, until it succeeds. Each registered alert goes its own way: one that fails holds up no other.
/// </remarks>
public interface IDeadLetterAlert
{
    /// <summary>Sends one alert.</summary>
    /// <param name="alert">What failed. The ids let the receiver recognise a repeated alert.</param>
    /// <param name="cancellationToken">Cancelled after 30 s, or when the bus stops.</param>
    Task AlertAsync(DeadLetterAlert alert, CancellationToken cancellationToken);
}

/// <summary>Dead letters of one subscription and event name (or of names that the application does not declare) that people are to be told of: usually one, more when many came within <see cref="EventBusOptions.AlertInterval"/>.</summary>
/// <param name="First">The first of them, in full.</param>
/// <param name="Ids">The ids of all, the oldest first.</param>
public sealed record DeadLetterAlert(DeadLetter First, IReadOnlyList<string> Ids)
{
    /// <summary>The application whose dead letters they are: <see cref="EventBusOptions.ServiceName"/>.</summary>
    public string ServiceName { get; init; } = "";

    /// <summary>How many dead letters this alert tells of. Some may have been retried or discarded meanwhile.</summary>
    public int Count => Ids.Count;
}
