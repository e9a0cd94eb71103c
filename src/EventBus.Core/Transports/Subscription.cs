namespace EventBus.Transports;

/// <summary>A named, independent receiver of events: every subscription gets its own copy of each event that one of its patterns matches.</summary>
/// <param name="Name">Unique in the application and stable: a durable backend names a queue or a group after it.</param>
/// <param name="Patterns">What it listens for; an event that several of them match is delivered once.</param>
public sealed record Subscription(string Name, IReadOnlyList<EventPattern> Patterns)
{
    /// <summary>Deliveries keep the order of the log, and one instance at a time receives those of a key. After a loss or a release the whole epoch restarts in the order of the log; only the first release of an epoch counts. Default false.</summary>
    public bool Ordered { get; init; }

    /// <summary>How many deliveries the bus handles at once: a transport buffers little more than that. Default 16.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>Whether one of the patterns matches an event name.</summary>
    /// <param name="eventName">The event's name.</param>
    public bool Matches(string eventName)
    {
        for (var i = 0; i < Patterns.Count; i++)
        {
            if (Patterns[i].Matches(eventName))
            {
                return true;
            }
        }

        return false;
    }
}
