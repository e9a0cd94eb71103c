using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Holds an open channel. After the channel is closed, messages taken through it can no longer be settled.
/// </summary>
internal sealed record PullChannel(IChannel Client, ConnectionSession Session)
{
    public bool IsOpen => Client.IsOpen && !Session.Ended.IsCompleted;
}
