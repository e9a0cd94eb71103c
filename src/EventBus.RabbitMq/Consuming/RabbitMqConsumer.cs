using System.Threading.Channels;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>One epoch of a subscription: a consumer on one channel. It settles its own deliveries and no others, each once, and nothing any more once the channel is lost.</summary>
internal sealed class RabbitMqConsumer(IChannel channel, ConnectionSession live, Channel<Delivery> buffer, bool ordered, bool countsDeliveries) : AsyncDefaultBasicConsumer(channel), IDeliverySettler, IDisposable
{
    private readonly Lock gate = new();
    private readonly HashSet<long> unsettled = [];
    private readonly CancellationTokenSource lost = new();
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? consumerTag;

    public required Action<string> IdMade { get; init; }

    /// <summary>Completes with the cause when nothing comes through this channel any more.</summary>
    public Task<Exception> Ended => ended.Task;

    public async Task ConsumeAsync(string queue) =>
        consumerTag = await Channel.BasicConsumeAsync(queue, autoAck: false, consumerTag: "", noLocal: false, exclusive: false, arguments: null, consumer: this, CancellationToken.None);

    /// <summary>Takes nothing more.</summary>
    public async Task CancelAsync()
    {
        if (Interlocked.Exchange(ref consumerTag, null) is { } tag)
        {
            await CallAsync(() => Channel.BasicCancelAsync(tag, noWait: false, CancellationToken.None));
        }
    }

    public ValueTask AckAsync(in Delivery delivery) => SettleAsync(delivery.Token, ack: true);

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (ordered)
        {
            // A single release would let later events overtake: the whole epoch goes back, and the queue begins again in its order.
            End(new InvalidOperationException("An event of an ordered subscription was released."));
            return ValueTask.CompletedTask;
        }

        return SettleAsync(delivery.Token, ack: false);
    }

    public void End(Exception cause)
    {
        lock (gate)
        {
            if (!ended.TrySetResult(cause))
            {
                return;
            }

            unsettled.Clear();

            // Not on the client's loop: what handlers registered runs here. The tokens say so at once.
            _ = CancelAsync(lost);
            while (buffer.Reader.TryRead(out _))
            {
                // Comes again through the next channel.
            }
        }
    }

    /// <summary>Call it after <see cref="End"/>: the tokens of lost deliveries stay readable.</summary>
    public void Dispose()
    {
        // Once cancelled it is left alone: disposing would drop the callbacks that the cancellation has not reached yet, and there is nothing to free.
        if (!lost.IsCancellationRequested)
        {
            lost.Dispose();
        }
    }

    public override async Task HandleBasicDeliverAsync(
        string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
    {
        live.Hear();
        try
        {
            // Copied: the client lends the body for the length of this call.
            var envelope = RabbitMqWireFormat.ReadAny(routingKey, properties, body.ToArray(), out var idWasMade);
            if (idWasMade)
            {
                IdMade(routingKey);
            }

            var delivery = new Delivery(envelope, this, (long)deliveryTag, RabbitMqWireFormat.EarlierDeliveries(properties, redelivered, countsDeliveries), lost.Token);
            bool taken;
            lock (gate)
            {
                if (ended.Task.IsCompleted)
                {
                    return;
                }

                unsettled.Add(delivery.Token);
                taken = buffer.Writer.TryWrite(delivery);
            }

            if (!taken && !ordered)
            {
                await delivery.ReleaseAsync();
            }
        }
        catch (Exception exception)
        {
            // The client would swallow it and leave the message unsettled for ever.
            End(exception);
        }
    }

    /// <summary>The broker ended the consumer: its queue was deleted or moved.</summary>
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

    /// <summary>What a handler registered may throw, which is no error of the ownership.</summary>
    private static async Task CancelAsync(CancellationTokenSource source) => await source.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private ValueTask SettleAsync(long token, bool ack)
    {
        lock (gate)
        {
            // An unknown delivery tag would cost the channel, and through a fault of the client the whole connection.
            if (!unsettled.Remove(token))
            {
                return ValueTask.CompletedTask;
            }
        }

        ValueTask writing;
        try
        {
            writing = ack
                ? Channel.BasicAckAsync((ulong)token, multiple: false, CancellationToken.None)
                : Channel.BasicNackAsync((ulong)token, multiple: false, requeue: true, CancellationToken.None);
        }
        catch (Exception exception)
        {
            End(exception);
            return ValueTask.CompletedTask;
        }

        // Mostly written at once, and then there is nothing to put a deadline to.
        return writing.IsCompletedSuccessfully ? ValueTask.CompletedTask : new ValueTask(CallAsync(writing.AsTask));
    }

    private async Task CallAsync(Func<Task> call)
    {
        try
        {
            await live.CallAsync(call());
        }
        catch (Exception exception)
        {
            End(exception);
        }
    }
}
