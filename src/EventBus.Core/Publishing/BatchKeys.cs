using EventBus.Transports;

namespace EventBus;

/// <summary>Collects the keys of selected events of a batch.</summary>
internal static class BatchKeys
{
    /// <summary>Returns the keys of the events at the given indexes.</summary>
    public static HashSet<string> Of(ReadOnlySpan<Envelope> batch, List<int> indexes)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var index in indexes)
        {
            if (batch[index].Key is { } key)
            {
                keys.Add(key);
            }
        }

        return keys;
    }

    /// <summary>Returns the keys of which at least one event may have been accepted.</summary>
    public static HashSet<string> PossiblyAccepted(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < batch.Length; i++)
        {
            if (batch[i].Key is { } key && outcomes[i].Status is not (PublishStatus.Failed or PublishStatus.Rejected))
            {
                keys.Add(key);
            }
        }

        return keys;
    }
}
