using System.Threading.Channels;
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
/// <param name="buffer">The buffer of the subscription's receiver, which outlives the channel.</param>
/// <param name="ordered">True if the subscription is ordered.</param>
/// <param name="countsDeliveries">True if the queue counts the deliveries of a message (a quorum queue).</param>
internal sealed class RabbitMqConsumer(
    IChannel channel,
    ConnectionSession session,
    Channel<Delivery> buffer,
    bool ordered,
    bool countsDeliveries) : AsyncDefaultBasicConsumer(channel), IDeliverySettler, IDisposable
{
    private readonly Lock gate = new();
    private readonly HashSet<long> unsettled = [];
    private readonly CancellationTokenSource lost = new();
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? consumerTag;
    private long received;

    /// <summary>
    /// The callback for an event without an id, whose id was computed from the content. Its argument is the routing
    /// key.
    /// </summary>
    public required Action<string> OnIdComputed { get; init; }

    /// <summary>Completes with the cause when this channel delivers no more events.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>The number of events that this channel has delivered.</summary>
    public long Received
    {
        get
        {
            lock (gate)
            {
                return received;
            }
        }
    }

    /// <summary>True if every event that this channel has delivered is settled.</summary>
    public bool IsSettled
    {
        get
        {
            lock (gate)
            {
                return unsettled.Count == 0;
            }
        }
    }

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
            End(new InvalidOperationException("An event of an ordered subscription was released."));
            return ValueTask.CompletedTask;
        }

        return SettleAsync(delivery.Token, ack: false);
    }

    /// <summary>
    /// Ends the consumer: drops its buffered deliveries, and cancels the tokens of all its deliveries. Does nothing if
    /// it has already ended.
    /// </summary>
    public void End(Exception cause)
    {
        lock (gate)
        {
            if (!ended.TrySetResult(cause))
            {
                return;
            }

            unsettled.Clear();

            // Cancels the token at once. The callbacks that handlers registered run on the thread pool, because this
            // thread may be the one that reads for the client.
            _ = lost.CancelAsync().Observed();
            while (buffer.Reader.TryRead(out _))
            {
                // The event is dropped here, because it can no longer be settled. The next channel delivers it again.
            }
        }
    }

    /// <summary>
    /// Releases the resources. Call it after <see cref="End"/>. The tokens of lost deliveries remain usable.
    /// </summary>
    public void Dispose()
    {
        // A cancelled source is not disposed: disposing would drop callbacks that the cancellation has not run yet, and
        // there is nothing to free.
        if (!lost.IsCancellationRequested)
        {
            lost.Dispose();
        }
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
                lost.Token);
            bool isBuffered;
            lock (gate)
            {
                if (ended.Task.IsCompleted)
                {
                    return;
                }

                received++;
                unsettled.Add(delivery.Token);
                isBuffered = buffer.Writer.TryWrite(delivery);
            }

            // The intake has stopped. An ordered subscription releases events only when the channel closes.
            if (!isBuffered && !ordered)
            {
                await delivery.ReleaseAsync();
            }
        }
        catch (Exception exception)
        {
            // The client would ignore the exception and leave the message unsettled.
            End(exception);
        }
    }

    /// <summary>Ends this consumer after the broker cancelled it, because its queue was deleted or moved.</summary>
    public override Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken = default)
    {
        End(new InvalidOperationException("The broker cancelled the consumer: its queue was deleted or moved."));
        return Task.CompletedTask;
    }

    public override Task HandleChannelShutdownAsync(object channel, ShutdownEventArgs reason)
    {
        End(reason.Exception ?? new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private ValueTask SettleAsync(long deliveryTag, bool ack)
    {
        lock (gate)
        {
            // An unknown delivery tag closes the channel and, because of a client bug, the whole connection.
            if (!unsettled.Remove(deliveryTag))
            {
                return ValueTask.CompletedTask;
            }
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
            End(exception);
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
            End(exception);
        }
    }
}
