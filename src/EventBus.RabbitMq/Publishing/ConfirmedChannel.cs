using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>One channel of publishes, and what on it waits for the broker's word. Written by one loop at a time.</summary>
/// <remarks>The client's own tracking is off: it costs eight times as much a publish, and does not bound what is outstanding.</remarks>
internal sealed class ConfirmedChannel : IDisposable
{
    private readonly IChannel channel;
    private readonly ConnectionSession live;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim window;
    private readonly Lock gate = new();
    private readonly Dictionary<ulong, Pending> pending = [];
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? drained;
    private ulong last;
    private ulong oldest = 1;
    private long settledAt;

    public ConfirmedChannel(IChannel channel, ConnectionSession live, int maxUnconfirmed, TimeProvider time)
    {
        (this.channel, this.live, this.time) = (channel, live, time);
        window = new SemaphoreSlim(maxUnconfirmed);
        channel.BasicAcksAsync += (_, ack) => Settle(ack.DeliveryTag, ack.Multiple, accepted: true);
        channel.BasicNacksAsync += (_, nack) => Settle(nack.DeliveryTag, nack.Multiple, accepted: false);
        channel.BasicReturnAsync += MarkReturned;
        channel.ChannelShutdownAsync += (_, reason) =>
        {
            ended.TrySetResult(reason.Exception ?? new OperationInterruptedException(reason));
            return Task.CompletedTask;
        };
    }

    /// <summary>Completes with the cause when the channel has ended.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>Completes with the first event that the broker refused (nack).</summary>
    public Task Refused => refused.Task;

    /// <summary>Completes when nothing is unconfirmed. Nothing is sent meanwhile.</summary>
    public Task Drained
    {
        get
        {
            lock (gate)
            {
                return pending.Count == 0 ? Task.CompletedTask : (drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Waits until the number of unconfirmed events is below its bound.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => window.WaitAsync(cancellationToken);

    public void Leave() => window.Release();

    /// <summary>Completes when the broker takes events: at once, unless it is short of memory or disk.</summary>
    public Task Unblocked => live.Unblocked;

    /// <summary>Writes one event. What becomes of it is told to its batch later.</summary>
    /// <param name="batch">The call that it belongs to.</param>
    /// <param name="index">Its place there.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="topology">The names.</param>
    /// <param name="again">It was sent before, and may have been taken.</param>
    public async Task SendAsync(PublishBatch batch, int index, Envelope envelope, RabbitMqTopology topology, bool again)
    {
        var properties = RabbitMqWireFormat.Write(envelope, topology.ServiceName);
        if (RabbitMqFrameLimit.Problem(properties, live.MaxFrame) is { } problem)
        {
            // On the wire it would cost the connection, and put in doubt what others have sent.
            batch.Conclude(index, PublishOutcome.Rejected(new InvalidOperationException(problem)));
            window.Release();
            return;
        }

        lock (gate)
        {
            pending.Add(++last, new Pending(batch, index, envelope.EventId, time.GetTimestamp(), again));
        }

        try
        {
            var writing = channel.BasicPublishAsync(topology.Exchange, envelope.EventName, mandatory: true, properties, envelope.Body, CancellationToken.None);
            if (!writing.IsCompletedSuccessfully)
            {
                await live.WriteAsync(writing.AsTask());
            }
        }
        catch (Exception exception) when (exception is ArgumentException or WireFormattingException && channel.IsOpen)
        {
            // Nothing was written, and the broker counts what it gets: the next event has this one's number.
            Reject(exception);
        }
        catch (AlreadyClosedException) when (!again)
        {
            // Nothing was written: the next channel sends it.
            PutBack();
            throw;
        }
    }

    /// <summary>How long events have been waiting without a confirm of any of them.</summary>
    public TimeSpan Silence()
    {
        lock (gate)
        {
            return pending.TryGetValue(oldest, out var first) ? time.GetElapsedTime(Math.Max(first.SentAt, settledAt)) : TimeSpan.Zero;
        }
    }

    /// <summary>The channel is gone. What is left has no answer, in the order in which it was sent.</summary>
    public IReadOnlyList<Unanswered> TakeRest()
    {
        lock (gate)
        {
            Unanswered[] rest = [.. pending.OrderBy(publish => publish.Key).Select(publish => new Unanswered(publish.Value.Batch, publish.Value.Index, publish.Value.WasSentBefore))];
            pending.Clear();
            return rest;
        }
    }

    public void Dispose() => window.Dispose();

    private void Reject(Exception cause)
    {
        lock (gate)
        {
            if (pending.Remove(last, out var publish))
            {
                last--;
                publish.Batch.Conclude(publish.Index, PublishOutcome.Rejected(new InvalidOperationException($"The event cannot be written as an AMQP message: {cause.Message}", cause)));
                window.Release();
                if (pending.Count == 0)
                {
                    drained?.TrySetResult();
                    drained = null;
                }
            }
        }
    }

    private void PutBack()
    {
        lock (gate)
        {
            if (pending.Remove(last, out var publish))
            {
                publish.Batch.PutBack(publish.Index);
            }
        }
    }

    private Task Settle(ulong tag, bool multiple, bool accepted)
    {
        live.Hear();
        lock (gate)
        {
            settledAt = time.GetTimestamp();
            for (var next = multiple ? oldest : tag; next <= tag; next++)
            {
                if (pending.Remove(next, out var publish))
                {
                    publish.Batch.Conclude(publish.Index, !accepted ? PublishOutcome.InDoubt(new InvalidOperationException("RabbitMQ refused the event (nack): at least one queue is full, or could not store it. Others may have it."))
                        : publish.Returned ? PublishOutcome.Unrouted
                        : PublishOutcome.Accepted);
                    window.Release();
                }
            }

            while (oldest <= last && !pending.ContainsKey(oldest))
            {
                oldest++;
            }

            if (pending.Count == 0)
            {
                drained?.TrySetResult();
                drained = null;
            }
        }

        if (!accepted)
        {
            refused.TrySetResult();
        }

        return Task.CompletedTask;
    }

    /// <summary>A returned event is confirmed right after. The broker names it by its properties alone; of two with one id, the older came first.</summary>
    private Task MarkReturned(object sender, BasicReturnEventArgs returned)
    {
        live.Hear();
        lock (gate)
        {
            for (var tag = oldest; tag <= last; tag++)
            {
                ref var publish = ref CollectionsMarshal.GetValueRefOrNullRef(pending, tag);
                if (!Unsafe.IsNullRef(ref publish) && !publish.Returned && publish.Id == returned.BasicProperties.MessageId)
                {
                    publish.Returned = true;
                    break;
                }
            }
        }

        return Task.CompletedTask;
    }

    /// <param name="Batch">The call that it belongs to.</param>
    /// <param name="Index">Its place there.</param>
    /// <param name="Id">The event's id.</param>
    /// <param name="SentAt">When it was written.</param>
    /// <param name="WasSentBefore">It was sent over an earlier channel, and may have been taken.</param>
    private record struct Pending(PublishBatch Batch, int Index, string Id, long SentAt, bool WasSentBefore)
    {
        public bool Returned { get; set; }
    }
}
