using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Holds an open channel and its connection. After the channel is closed, messages taken through it can no longer be
/// settled.
/// </summary>
internal sealed record StoreChannel(IChannel Channel, ConnectionSession Session)
{
    public bool IsOpen => Channel.IsOpen && !Session.Ended.IsCompleted;
}
