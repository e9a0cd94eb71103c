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

    // Each unconfirmed event takes one of these places.
    private readonly SemaphoreSlim places;
    private readonly Lock gate = new();
    private readonly Dictionary<ulong, Pending> pending = [];
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? drained;

    // The broker and this class number the events of the channel from 1. A confirm contains the number of its event as
    // the delivery tag.
    private ulong lastNumber;
    private ulong oldestUnconfirmed = 1;
    private long lastConfirmAt;

    public ConfirmedChannel(IChannel channel, ConnectionSession session, int maxUnconfirmed, TimeProvider time)
    {
        this.channel = channel;
        this.session = session;
        this.time = time;
        places = new SemaphoreSlim(maxUnconfirmed);
        channel.BasicAcksAsync += (_, ack) => RecordConfirm(ack.DeliveryTag, ack.Multiple, accepted: true);
        channel.BasicNacksAsync += (_, nack) => RecordConfirm(nack.DeliveryTag, nack.Multiple, accepted: false);
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

    /// <summary>Completes when no sent event is unconfirmed. No event may be sent in the meantime.</summary>
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

    /// <summary>
    /// Takes a place for an event: waits until the number of unconfirmed events is below its limit. Call it before
    /// <see cref="SendAsync"/>.
    /// </summary>
    public Task EnterAsync(CancellationToken cancellationToken) => places.WaitAsync(cancellationToken);

    /// <summary>Returns the place of an event that is not sent.</summary>
    public void Leave() => places.Release();

    /// <summary>Completes when the broker accepts events: immediately, unless it is short of memory or disk.</summary>
    public Task Unblocked => session.Unblocked;

    /// <summary>Writes one event. Its outcome is set on its batch later.</summary>
    /// <param name="batch">The batch of the event.</param>
    /// <param name="index">The index of the event in the batch.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="topology">The names of the exchange and of the service.</param>
    /// <param name="wasSentBefore">
    /// True if the event was also sent over an earlier channel, and may have been accepted.
    /// </param>
    public async Task SendAsync(PublishBatch batch, int index, Envelope envelope, RabbitMqTopology topology, bool wasSentBefore)
    {
        var properties = RabbitMqWireFormat.Write(envelope, topology.ServiceName);
        var problem = RabbitMqFrameLimit.FindProblem(properties, session.MaxFrame);
        if (problem is not null)
        {
            // Sending the event would close the connection, and leave other unconfirmed events in doubt.
            batch.Conclude(index, PublishOutcome.Rejected(new InvalidOperationException(problem)));
            Leave();
            return;
        }

        lock (gate)
        {
            lastNumber++;
            pending.Add(lastNumber, new Pending(batch, index, envelope.Id, time.GetTimestamp(), wasSentBefore));
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
            // Nothing was written. The broker numbers only the messages that it receives, so the next event gets the
            // number of this one.
            RejectLast(exception);
        }
        catch (AlreadyClosedException) when (!wasSentBefore)
        {
            // Nothing was written. The next channel sends the event. Its place is not returned, because this channel
            // has ended.
            PutBackLast();
            throw;
        }
    }

    /// <summary>
    /// Gets the time since the last confirm, or since the oldest unconfirmed event was written if that was later; zero
    /// if no event is unconfirmed.
    /// </summary>
    public TimeSpan TimeWithoutConfirm()
    {
        lock (gate)
        {
            return pending.TryGetValue(oldestUnconfirmed, out var oldest)
                ? time.GetElapsedTime(Math.Max(oldest.SentAt, lastConfirmAt))
                : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Removes and returns the events without an answer, in the order in which they were sent. Called after the channel
    /// has ended.
    /// </summary>
    public IReadOnlyList<Unanswered> TakeUnanswered()
    {
        lock (gate)
        {
            Unanswered[] unanswered = [.. pending.OrderBy(entry => entry.Key)
                .Select(entry => new Unanswered(entry.Value.Batch, entry.Value.Index, entry.Value.WasSentBefore))];
            pending.Clear();
            return unanswered;
        }
    }

    public void Dispose() => places.Dispose();

    private void RejectLast(Exception cause)
    {
        lock (gate)
        {
            if (pending.Remove(lastNumber, out var rejected))
            {
                lastNumber--;
                rejected.Batch.Conclude(rejected.Index, PublishOutcome.Rejected(
                    new InvalidOperationException($"The event cannot be written as an AMQP message: {cause.Message}", cause)));
                Leave();
                CompleteDrainedLocked();
            }
        }
    }

    private void PutBackLast()
    {
        lock (gate)
        {
            if (pending.Remove(lastNumber, out var unsent))
            {
                unsent.Batch.PutBack(unsent.Index);
            }
        }
    }

    /// <summary>Handles a confirm of the broker.</summary>
    /// <param name="number">The number of the event.</param>
    /// <param name="multiple">True if the confirm covers all events up to this number.</param>
    /// <param name="accepted">True if the broker accepted the events; false if it refused them (nack).</param>
    private Task RecordConfirm(ulong number, bool multiple, bool accepted)
    {
        session.RecordActivity();
        lock (gate)
        {
            lastConfirmAt = time.GetTimestamp();
            var first = multiple ? oldestUnconfirmed : number;
            for (var current = first; current <= number; current++)
            {
                if (pending.Remove(current, out var confirmed))
                {
                    confirmed.Batch.Conclude(confirmed.Index, OutcomeOf(confirmed, accepted));
                    Leave();
                }
            }

            while (oldestUnconfirmed <= lastNumber && !pending.ContainsKey(oldestUnconfirmed))
            {
                oldestUnconfirmed++;
            }

            CompleteDrainedLocked();
        }

        if (!accepted)
        {
            refused.TrySetResult();
        }

        return Task.CompletedTask;
    }

    private void CompleteDrainedLocked()
    {
        if (pending.Count == 0)
        {
            drained?.TrySetResult();
            drained = null;
        }
    }

    private static PublishOutcome OutcomeOf(Pending confirmed, bool accepted)
    {
        if (!accepted)
        {
            return PublishOutcome.InDoubt(new InvalidOperationException(
                "RabbitMQ refused the event (nack): at least one queue is full, or could not store it. Other queues may have it."));
        }

        return confirmed.IsReturned ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
    }

    /// <summary>
    /// Marks an event as returned, because no queue receives it. Its confirm follows immediately. The broker identifies
    /// the event only by its properties. If two events have the same id, the older one was returned first.
    /// </summary>
    private Task MarkReturned(object sender, BasicReturnEventArgs returned)
    {
        session.RecordActivity();
        lock (gate)
        {
            for (var number = oldestUnconfirmed; number <= lastNumber; number++)
            {
                // A reference to the value in the dictionary, because the value is a struct.
                ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(pending, number);
                if (!Unsafe.IsNullRef(ref entry) && !entry.IsReturned && entry.Id == returned.BasicProperties.MessageId)
                {
                    entry.IsReturned = true;
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
        /// <summary>True if the broker has returned the event, because no queue receives it.</summary>
        public bool IsReturned { get; set; }
    }
}
