using RabbitMQ.Client;

namespace EventBus;

/// <summary>Holds a message that was taken from a queue and is not settled.</summary>
/// <param name="Message">The message.</param>
/// <param name="Source">The channel through which the message was taken.</param>
internal sealed record PulledMessage(BasicGetResult Message, StoreChannel Source)
{
    /// <summary>
    /// True while the message can be settled. False after the channel is closed: the message is then back in its queue.
    /// </summary>
    public bool IsHeld => Source.IsOpen;

    /// <summary>Acknowledges the message. Does nothing if it is no longer held.</summary>
    public async Task AckAsync()
    {
        if (IsHeld)
        {
            await Source.Session.CallAsync(
                Source.Channel.BasicAckAsync(Message.DeliveryTag, multiple: false, CancellationToken.None).AsTask());
        }
    }

    /// <summary>Releases the message to its queue. Does nothing if it is no longer held.</summary>
    public async Task ReleaseAsync()
    {
        if (IsHeld)
        {
            await Source.Session.CallAsync(
                Source.Channel.BasicNackAsync(Message.DeliveryTag, multiple: false, requeue: true, CancellationToken.None).AsTask());
        }
    }
}
