using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Consumes the events of one subscription on one channel. Settles only its own deliveries, each once, and none after
/// the channel is lost.
/// </summary>
/// <param name="channel">The channel.</param>
/// <param name="session">The connection of the channel.</param>
/// <param name="deliveries">The deliveries of the channel. They end when this channel delivers no more events.</param>
/// <param name="ordered">True if the subscription is ordered.</param>
/// <param name="countsDeliveries">True if the queue counts the deliveries of a message (a quorum queue).</param>
internal sealed class RabbitMqConsumer(
    IChannel channel,
    ConnectionSession session,
    UnsettledDeliveries deliveries,
    bool ordered,
    bool countsDeliveries) : AsyncDefaultBasicConsumer(channel), IDeliverySettler
{
    private string? consumerTag;

    /// <summary>
    /// The callback for an event without an id, whose id was computed from the content. Its argument is the routing
    /// key.
    /// </summary>
    public required Action<string> OnIdComputed { get; init; }

    public async Task ConsumeAsync(string queue) =>
        consumerTag = await Channel.BasicConsumeAsync(
            queue,
            autoAck: false,
            consumerTag: "",
            noLocal: false,
            exclusive: false,
            arguments: null,
            consumer: this,
            CancellationToken.None);

    /// <summary>Cancels the consumer, so that the broker delivers no more events.</summary>
    public async Task CancelAsync()
    {
        var tag = Interlocked.Exchange(ref consumerTag, null);
        if (tag is not null)
        {
            await CallOrEndAsync(() => Channel.BasicCancelAsync(tag, noWait: false, CancellationToken.None));
        }
    }

    public ValueTask AckAsync(in Delivery delivery) => SettleAsync(delivery.Token, ack: true);

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (ordered)
        {
            // Releasing a single event would let later events overtake it. Instead all unsettled events are released,
            // and the queue delivers them again in order.
            deliveries.End(new InvalidOperationException("An event of an ordered subscription was released."));
            return ValueTask.CompletedTask;
        }

        return SettleAsync(delivery.Token, ack: false);
    }

    public override async Task HandleBasicDeliverAsync(
        string consumerTag,
        ulong deliveryTag,
        bool redelivered,
        string exchange,
        string routingKey,
        IReadOnlyBasicProperties properties,
        ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken = default)
    {
        session.RecordActivity();
        try
        {
            // Copied, because the client owns the body and it is valid only during this call.
            var envelope = RabbitMqWireFormat.ReadAny(routingKey, properties, body.ToArray(), out var idIsComputed);
            if (idIsComputed)
            {
                OnIdComputed(routingKey);
            }

            var delivery = new Delivery(
                envelope,
                this,
                (long)deliveryTag,
                RabbitMqDeliveryCount.EarlierDeliveries(properties, redelivered, countsDeliveries),
                deliveries.Lost);
            var isBuffered = deliveries.TryAdd(delivery);

            // The intake has stopped. An ordered subscription releases events only when the channel closes.
            if (!isBuffered && !ordered)
            {
                await delivery.ReleaseAsync();
            }
        }
        catch (Exception exception)
        {
            // The client would ignore the exception and leave the message unsettled.
            deliveries.End(exception);
        }
    }

    /// <summary>Ends this consumer after the broker cancelled it, because its queue was deleted or moved.</summary>
    public override Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken = default)
    {
        deliveries.End(new InvalidOperationException("The broker cancelled the consumer: its queue was deleted or moved."));
        return Task.CompletedTask;
    }

    public override Task HandleChannelShutdownAsync(object channel, ShutdownEventArgs reason)
    {
        deliveries.End(reason.Exception ?? new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private ValueTask SettleAsync(long deliveryTag, bool ack)
    {
        // An unknown delivery tag closes the channel and, because of a client bug, the whole connection.
        if (!deliveries.TryRemove(deliveryTag))
        {
            return ValueTask.CompletedTask;
        }

        ValueTask writing;
        try
        {
            writing = ack
                ? Channel.BasicAckAsync((ulong)deliveryTag, multiple: false, CancellationToken.None)
                : Channel.BasicNackAsync((ulong)deliveryTag, multiple: false, requeue: true, CancellationToken.None);
        }
        catch (Exception exception)
        {
            deliveries.End(exception);
            return ValueTask.CompletedTask;
        }

        // The write usually completes synchronously. Then no timeout is needed.
        return writing.IsCompletedSuccessfully ? ValueTask.CompletedTask : new ValueTask(CallOrEndAsync(writing.AsTask));
    }

    private async Task CallOrEndAsync(Func<Task> call)
    {
        try
        {
            await session.CallAsync(call());
        }
        catch (Exception exception)
        {
            deliveries.End(exception);
        }
    }
}
