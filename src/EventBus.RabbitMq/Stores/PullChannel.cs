using RabbitMQ.Client;

namespace EventBus;

/// <summary>A channel while it lives. With it ends the right to settle what came through it.</summary>
internal sealed record PullChannel(IChannel Client, ConnectionSession Live)
{
    public bool IsOpen => Client.IsOpen && !Live.Ended.IsCompleted;
}
