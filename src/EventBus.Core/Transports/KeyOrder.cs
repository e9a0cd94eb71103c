namespace EventBus.Transports;

/// <summary>
/// Keeps the order of keys within one batch: after an event that was not accepted, the later events of its key are not
/// sent. Not thread-safe; a mutable value, so keep it in a local variable or in a field that is not read-only.
/// </summary>
public struct KeyOrder
{
    /// <summary>The error message of <see cref="NotSent"/>.</summary>
    internal const string Reason = "An earlier event of the same key was not accepted.";

    private HashSet<string>? heldBack;

    /// <summary>The outcome of an event that was not sent because of an earlier event of its key.</summary>
    public static PublishOutcome NotSent => PublishOutcome.Failed(new InvalidOperationException(Reason));

    /// <summary>True if the events of at least one key must not be sent.</summary>
    public readonly bool HoldsBackAny => heldBack is not null;

    /// <summary>True if an event must not be sent, because an earlier event of its key was not accepted.</summary>
    /// <param name="key">The key of the event; null for none, which is never held back.</param>
    public readonly bool IsHeldBack(string? key) => key is not null && heldBack?.Contains(key) == true;

    /// <summary>Holds back the later events of a key.</summary>
    /// <param name="key">The key of the event that was not accepted; null for none.</param>
    public void HoldBack(string? key)
    {
        if (key is not null)
        {
            (heldBack ??= new(StringComparer.Ordinal)).Add(key);
        }
    }

    /// <summary>Holds back the later events of a key if an event of the key was not accepted.</summary>
    /// <param name="key">The key of the event; null for none.</param>
    /// <param name="outcome">The outcome of the event.</param>
    public void Record(string? key, PublishOutcome outcome)
    {
        if (outcome.Status is not (PublishStatus.Accepted or PublishStatus.Unrouted))
        {
            HoldBack(key);
        }
    }
}
