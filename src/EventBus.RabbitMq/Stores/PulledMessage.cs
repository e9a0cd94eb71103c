using RabbitMQ.Client;

namespace EventBus;

/// <summary>Holds a message that was taken from a queue and is not settled.</summary>
internal sealed record PulledMessage(BasicGetResult Message, PullChannel Channel)
{
    public bool IsHeld => Channel.IsOpen;

    /// <summary>
    /// Acknowledges the message. Does nothing if the channel is closed: the message is then back in its queue.
    /// </summary>
    public async Task AckAsync()
    {
        if (IsHeld)
        {
            await Channel.Session.CallAsync(
                Channel.Client.BasicAckAsync(Message.DeliveryTag, multiple: false, CancellationToken.None).AsTask());
        }
    }

    /// <summary>Releases the message to its queue.</summary>
    public async Task ReleaseAsync()
    {
        if (IsHeld)
        {
            await Channel.Session.CallAsync(
                Channel.Client.BasicNackAsync(Message.DeliveryTag, multiple: false, requeue: true, CancellationToken.None).AsTask());
        }
    }
}
