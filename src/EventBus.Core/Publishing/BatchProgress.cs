using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the outcome of a list that is being published: the failed events, and the keys whose later events are held
/// back.
/// </summary>
internal sealed class BatchProgress(int count)
{
    private PublishException?[]? items;
    private HashSet<string>? heldBack;

    public bool HoldsBackAny => heldBack is not null;

    public bool IsHeldBack(string? key) => key is not null && heldBack?.Contains(key) == true;

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
        if (key is not null)
        {
            (heldBack ??= new HashSet<string>(StringComparer.Ordinal)).Add(key);
        }
    }

    public void ThrowIfAnyFailed()
    {
        if (items is not null)
        {
            throw new PublishManyException(items);
        }
    }
}
