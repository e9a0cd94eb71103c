using RabbitMQ.Client;

namespace EventBus;

/// <summary>A message that was taken and is not settled.</summary>
internal sealed record PulledMessage(BasicGetResult Message, PullChannel Channel)
{
    public bool IsHeld => Channel.IsOpen;

    /// <summary>Removes it from its queue. Nothing happens when the channel is gone: the message is back in its queue.</summary>
    public async Task AckAsync()
    {
        if (IsHeld)
        {
            await Channel.Live.CallAsync(Channel.Client.BasicAckAsync(Message.DeliveryTag, multiple: false, CancellationToken.None).AsTask());
        }
    }

    /// <summary>Gives it back to its queue.</summary>
    public async Task ReleaseAsync()
    {
        if (IsHeld)
        {
            await Channel.Live.CallAsync(Channel.Client.BasicNackAsync(Message.DeliveryTag, multiple: false, requeue: true, CancellationToken.None).AsTask());
        }
    }
}
