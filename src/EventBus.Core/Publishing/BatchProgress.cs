using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the publishing of a list: the errors of its events, and the keys of which no further events are sent because
/// an earlier one failed.
/// </summary>
/// <param name="count">The number of events in the list.</param>
internal sealed class BatchProgress(int count)
{
    // One element for each event, null if it was accepted; null while no event has failed.
    private PublishException?[]? errors;
    private KeyOrder order;

    /// <summary>True if the events of at least one key are not sent.</summary>
    public bool HoldsBackAny => order.HoldsBackAny;

    public bool IsHeldBack(string? key) => order.IsHeldBack(key);

    /// <summary>Records the error of an event, and holds back the later events of its key.</summary>
    /// <param name="position">The position of the event in the list.</param>
    /// <param name="key">The key of the event; null for none.</param>
    /// <param name="error">The error.</param>
    public void Fail(int position, string? key, PublishException error)
    {
        errors ??= new PublishException?[count];
        errors[position] = error;
        order.HoldBack(key);
    }

    public void ThrowIfAnyFailed()
    {
        if (errors is not null)
        {
            throw new PublishManyException(errors);
        }
    }
}
