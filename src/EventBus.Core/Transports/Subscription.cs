namespace EventBus.Transports;

/// <summary>
/// Represents a named, independent receiver of events: every subscription gets its own copy of each event that matches
/// one of its patterns.
/// </summary>
/// <param name="Name">
/// The name, unique in the application and stable: a durable backend derives the name of a queue or a group from it.
/// </param>
/// <param name="Patterns">
/// The patterns of the event names to receive. An event that matches several of them is delivered once.
/// </param>
public sealed record Subscription(string Name, IReadOnlyList<EventPattern> Patterns)
{
    /// <summary>
    /// True if the events of a key are delivered in the order in which the backend accepted them, and only one instance
    /// at a time receives them. After a delivery is lost or released, the transport delivers again from the first
    /// unsettled event on, in the same order: all events, or those of the part of its log that has the key. If further
    /// deliveries from before that are released, nothing more happens. Default false.
    /// </summary>
    public bool Ordered { get; init; }

    /// <summary>
    /// The number of deliveries that the bus handles concurrently. A transport buffers only slightly more. Default 16.
    /// </summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>Returns true if one of the patterns matches an event name.</summary>
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
