using EventBus.Transports;

namespace EventBus;

/// <summary>Determines which events of a publish call may be sent again.</summary>
internal static class RepeatablePublishes
{
    /// <summary>
    /// Returns the indexes of the events of a batch that must be sent again, in ascending order. An event is sent again
    /// if it was certainly not sent, and if this keeps the order of its key: no earlier event of the key was rejected
    /// or is in doubt, no later event of the key may have been accepted, and the call still has its place in the line
    /// of the key.
    /// </summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">The outcome of each event.</param>
    /// <param name="call">
    /// The publish call; null if no event has a key. The caller must hold the lock of its queue.
    /// </param>
    public static List<int> Find(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes, PublishCall? call)
    {
        var isOvertaken = FindOvertaken(batch, outcomes, call);
        var order = default(KeyOrder);
        var retried = new List<int>();
        for (var i = 0; i < batch.Length; i++)
        {
            var key = batch[i].Key;
            if (outcomes[i].Status != PublishStatus.Failed)
            {
                order.Record(key, outcomes[i]);
            }
            else if (!isOvertaken[i] && !order.IsHeldBack(key))
            {
                // Does not hold back the later events of its key, because it is sent again before them.
                retried.Add(i);
            }
        }

        return retried;
    }

    /// <summary>
    /// Determines for each event whether a later event of its key may have been accepted, in the same batch or in
    /// another call, or whether this call has left the line of the key.
    /// </summary>
    private static bool[] FindOvertaken(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes, PublishCall? call)
    {
        var overtakenKeys = call?.Overtaken() ?? new HashSet<string>(StringComparer.Ordinal);
        var isOvertaken = new bool[batch.Length];

        // From the last event to the first, so that the set contains the keys of the events after the current one.
        for (var i = batch.Length - 1; i >= 0; i--)
        {
            if (batch[i].Key is not { } key)
            {
                continue;
            }

            isOvertaken[i] = overtakenKeys.Contains(key);
            if (outcomes[i].Status is not (PublishStatus.Failed or PublishStatus.Rejected))
            {
                overtakenKeys.Add(key);
            }
        }

        return isOvertaken;
    }
}
