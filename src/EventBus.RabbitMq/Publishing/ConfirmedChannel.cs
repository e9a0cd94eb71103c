using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Publishes events over one channel, and tracks the events that the broker has not confirmed. Only one loop at a time
/// may call the methods that write.
/// </summary>
/// <remarks>
/// The client's confirmation tracking is off: it makes a publish eight times as expensive, and does not limit the
/// number of unconfirmed events.
/// </remarks>
internal sealed class ConfirmedChannel : IDisposable
{
    private readonly IChannel channel;
    private readonly ConnectionSession session;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim window;
    private readonly Lock gate = new();
    private readonly Dictionary<ulong, Pending> pending = [];
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? drained;
    // The number of the last written event, and of the oldest event without a confirm.
    private ulong last;
    private ulong oldest = 1;
    private long settledAt;

    public ConfirmedChannel(IChannel channel, ConnectionSession session, int maxUnconfirmed, TimeProvider time)
    {
        (this.channel, this.session, this.time) = (channel, session, time);
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

    /// <summary>Completes when the broker refuses an event for the first time (nack).</summary>
    public Task Refused => refused.Task;

    /// <summary>
    /// Completes when the broker has confirmed every sent event. No event may be sent in the meantime.
    /// </summary>
    public Task Drained
    {
        get
        {
            lock (gate)
            {
                return pending.Count == 0
                    ? Task.CompletedTask
                    : (drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Waits until the number of unconfirmed events is below its limit.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => window.WaitAsync(cancellationToken);

    public void Leave() => window.Release();

    /// <summary>Completes when the broker accepts events: immediately, unless it is short of memory or disk.</summary>
    public Task Unblocked => session.Unblocked;

    /// <summary>Writes one event. Its outcome is set on its batch later.</summary>
    /// <param name="batch">The batch of the event.</param>
    /// <param name="index">The index of the event in the batch.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="topology">The names of the exchange and of the service.</param>
    /// <param name="again">True if the event was sent before and may have been accepted.</param>
    public async Task SendAsync(PublishBatch batch, int index, Envelope envelope, RabbitMqTopology topology, bool again)
    {
        var properties = RabbitMqWireFormat.Write(envelope, topology.ServiceName);
        if (RabbitMqFrameLimit.Problem(properties, session.MaxFrame) is { } problem)
        {
            // Sending it would close the connection, and leave other unconfirmed events in doubt.
            batch.Conclude(index, PublishOutcome.Rejected(new InvalidOperationException(problem)));
            window.Release();
            return;
        }

        lock (gate)
        {
            last++;
            pending.Add(last, new Pending(batch, index, envelope.Id, time.GetTimestamp(), again));
        }

        try
        {
            var writing = channel.BasicPublishAsync(
                topology.Exchange,
                envelope.Name,
                mandatory: true,
                properties,
                envelope.Body,
                CancellationToken.None);
            if (!writing.IsCompletedSuccessfully)
            {
                await session.WriteAsync(writing.AsTask());
            }
        }
        catch (Exception exception) when (exception is ArgumentException or WireFormattingException && channel.IsOpen)
        {
            // Nothing was written. The broker numbers the messages that it receives, so the number of this event is
            // used for the next one.
            Reject(exception);
        }
        catch (AlreadyClosedException) when (!again)
        {
            // Nothing was written. The next channel sends the event. Its place in the window stays reserved until the
            // channel ends.
            PutBack();
            throw;
        }
    }

    /// <summary>Gets the time for which events have waited without a confirm of any of them.</summary>
    public TimeSpan Silence()
    {
        lock (gate)
        {
            return pending.TryGetValue(oldest, out var first) ? time.GetElapsedTime(Math.Max(first.SentAt, settledAt)) : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Removes and returns the events without an answer, in the order in which they were sent. Called after the channel
    /// has ended.
    /// </summary>
    public IReadOnlyList<Unanswered> TakeRest()
    {
        lock (gate)
        {
            Unanswered[] rest = [.. pending.OrderBy(publish => publish.Key)
                .Select(publish => new Unanswered(publish.Value.Batch, publish.Value.Index, publish.Value.WasSentBefore))];
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
                publish.Batch.Conclude(publish.Index, PublishOutcome.Rejected(
                    new InvalidOperationException($"The event cannot be written as an AMQP message: {cause.Message}", cause)));
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
        session.RecordActivity();
        lock (gate)
        {
            settledAt = time.GetTimestamp();
            // A confirm of several events covers all up to its number.
            var first = multiple ? oldest : tag;
            for (var next = first; next <= tag; next++)
            {
                if (pending.Remove(next, out var publish))
                {
                    publish.Batch.Conclude(publish.Index, OutcomeOf(publish, accepted));
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

    private static PublishOutcome OutcomeOf(Pending publish, bool accepted)
    {
        if (!accepted)
        {
            return PublishOutcome.InDoubt(new InvalidOperationException(
                "RabbitMQ refused the event (nack): at least one queue is full, or could not store it. Other queues may have it."));
        }

        return publish.Returned ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
    }

    /// <summary>
    /// Marks an event as returned; its confirm follows immediately. The broker identifies it only by its properties. If
    /// two events have the same id, the older one was returned first.
    /// </summary>
    private Task MarkReturned(object sender, BasicReturnEventArgs returned)
    {
        session.RecordActivity();
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

    /// <summary>An event that was sent and is not confirmed yet.</summary>
    /// <param name="Batch">The batch of the event.</param>
    /// <param name="Index">The index of the event in the batch.</param>
    /// <param name="Id">The id of the event.</param>
    /// <param name="SentAt">The timestamp at which it was written.</param>
    /// <param name="WasSentBefore">
    /// True if it was also sent over an earlier channel, and may have been accepted.
    /// </param>
    private record struct Pending(PublishBatch Batch, int Index, string Id, long SentAt, bool WasSentBefore)
    {
        public bool Returned { get; set; }
    }
}
