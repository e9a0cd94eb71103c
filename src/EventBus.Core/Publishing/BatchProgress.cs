using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the publishing of a list: the failed events, and the keys of which no further events are sent because an
/// earlier one failed.
/// </summary>
internal sealed class BatchProgress(int count)
{
    private PublishException?[]? items;
    private KeyOrder order;

    public bool HoldsBackAny => order.HoldsBackAny;

    public bool IsHeldBack(string? key) => order.IsHeldBack(key);

    public void Conclude(int position, Envelope envelope, PublishException? problem)
    {
        if (problem is not null)
        {
            Reject(position, envelope.Key, problem);
        }
    }

    public void Reject(int position, string? key, PublishException problem)
    {
        (items ??= new PublishException?[count])[position] = problem;
        order.HoldBack(key);
    }

    public void ThrowIfAnyFailed()
    {
        if (items is not null)
        {
            throw new PublishManyException(items);
        }
    }
}
