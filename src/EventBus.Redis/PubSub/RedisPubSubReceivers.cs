using EventBus.Transports;

namespace EventBus;

/// <summary>Holds the receivers of a transport until they are closed. Thread-safe.</summary>
internal sealed class RedisPubSubReceivers
{
    private readonly Lock gate = new();
    private volatile RedisPubSubReceiver[] receivers = [];

    /// <summary>The receivers at present.</summary>
    public IReadOnlyList<RedisPubSubReceiver> All => receivers;

    public void Add(RedisPubSubReceiver receiver)
    {
        lock (gate)
        {
            receivers = [.. receivers, receiver];
        }
    }

    public void Remove(RedisPubSubReceiver receiver)
    {
        lock (gate)
        {
            receivers = [.. receivers.Where(each => each != receiver)];
        }
    }

    /// <summary>True if a subscription of this instance matches the event and no longer receives events.</summary>
    public bool WouldMiss(Envelope envelope)
    {
        foreach (var receiver in receivers)
        {
            if (receiver.IsStopping && receiver.Subscription.Matches(envelope.Name))
            {
                return true;
            }
        }

        return false;
    }
}
