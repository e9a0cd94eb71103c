using EventBus.Transports;

namespace EventBus;

/// <summary>Determines which events of a publish call may be sent again.</summary>
internal static class RepeatablePublishes
{
    /// <summary>
    /// Returns the indexes of the events of a batch that must be sent again: events that were certainly not sent,
    /// without an earlier event of the same key that failed for good and without a later one that may have been
    /// accepted.
    /// </summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">The outcome of each event.</param>
    /// <param name="call">The call; null if no event has a key.</param>
    public static List<int> Find(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes, PublishCall? call)
    {
        var overtaken = call?.Overtaken() ?? new HashSet<string>(StringComparer.Ordinal);
        var failed = new List<int>();
        for (var i = batch.Length - 1; i >= 0; i--)
        {
            var key = batch[i].Key;
            if (outcomes[i].Status == PublishStatus.Failed)
            {
                if (key is null || !overtaken.Contains(key))
                {
                    failed.Add(i);
                }
            }
            else if (key is not null && outcomes[i].Status != PublishStatus.Rejected)
            {
                overtaken.Add(key);
            }
        }

        failed.Reverse();
        var last = 0;
        var order = default(KeyOrder);
        var again = new List<int>(failed.Count);
        foreach (var index in failed)
        {
            for (; last < index; last++)
            {
                // An event that failed is sent again before the later ones of its key.
                if (outcomes[last].Status != PublishStatus.Failed)
                {
                    order.Record(batch[last].Key, outcomes[last]);
                }
            }

            if (!order.IsHeldBack(batch[index].Key))
            {
                again.Add(index);
            }
        }

        return again;
    }
}
