using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the events that were sent over one channel and that the broker has not confirmed, and limits their number.
/// Thread-safe.
/// </summary>
internal sealed class UnconfirmedEvents(int max, TimeProvider time) : IDisposable
{
    // Each unconfirmed event takes one of these places.
    private readonly SemaphoreSlim places = new(max);
    private readonly Lock gate = new();

    // The events by their numbers.
    private readonly Dictionary<ulong, UnconfirmedEvent> pending = [];
    private TaskCompletionSource? drained;

    // The broker and this class number the events of the channel from 1. A confirm contains the number of its event as
    // the delivery tag.
    private ulong lastNumber;
    private ulong oldestUnconfirmed = 1;
    private long lastConfirmAt;

    /// <summary>Completes when no event is unconfirmed. No event may be added in the meantime.</summary>
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

    /// <summary>Takes a place for an event: waits until the number of unconfirmed events is below its limit.</summary>
    public Task EnterAsync(CancellationToken cancellationToken) => places.WaitAsync(cancellationToken);

    /// <summary>Returns the place of an event that is not sent.</summary>
    public void Leave() => places.Release();

    /// <summary>Adds an event that is about to be written. Call <see cref="EnterAsync"/> first.</summary>
    public void Add(PublishBatch batch, int index, string id, bool wasSentBefore)
    {
        lock (gate)
        {
            lastNumber++;
            pending.Add(lastNumber, new UnconfirmedEvent(batch, index, id, time.GetTimestamp(), wasSentBefore));
        }
    }

    /// <summary>
    /// Rejects the event that was added last, because nothing was written. The broker numbers only the messages that it
    /// receives, so the next event gets the number of this one.
    /// </summary>
    public void RejectLast(Exception error)
    {
        lock (gate)
        {
            if (pending.Remove(lastNumber, out var rejected))
            {
                lastNumber--;
                rejected.Conclude(PublishOutcome.Rejected(error));
                Leave();
                CompleteDrainedLocked();
            }
        }
    }

    /// <summary>
    /// Removes the event that was added last, because nothing was written and the next channel sends it. Its place is
    /// not returned, because this channel has ended.
    /// </summary>
    public void PutBackLast()
    {
        lock (gate)
        {
            if (pending.Remove(lastNumber, out var unsent))
            {
                unsent.Batch.PutBack(unsent.Index);
            }
        }
    }

    /// <summary>Sets the outcomes of events that the broker has confirmed, and returns their places.</summary>
    /// <param name="number">The number of the event, or of the last one.</param>
    /// <param name="multiple">True if the confirm covers all events up to this number.</param>
    /// <param name="accepted">True if the broker accepted the events; false if it refused them (nack).</param>
    public void Confirm(ulong number, bool multiple, bool accepted)
    {
        lock (gate)
        {
            lastConfirmAt = time.GetTimestamp();
            var first = multiple ? oldestUnconfirmed : number;
            for (var current = first; current <= number; current++)
            {
                if (pending.Remove(current, out var confirmed))
                {
                    confirmed.Conclude(confirmed.OutcomeOf(accepted));
                    Leave();
                }
            }

            while (oldestUnconfirmed <= lastNumber && !pending.ContainsKey(oldestUnconfirmed))
            {
                oldestUnconfirmed++;
            }

            CompleteDrainedLocked();
        }
    }

    /// <summary>
    /// Marks an event as returned, because no queue receives it. Its confirm follows immediately. The broker identifies
    /// the event only by its properties. If two events have the same id, the older one was returned first.
    /// </summary>
    public void MarkReturned(string? id)
    {
        lock (gate)
        {
            for (var number = oldestUnconfirmed; number <= lastNumber; number++)
            {
                // A reference to the value in the dictionary, because the value is a struct.
                ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(pending, number);
                if (!Unsafe.IsNullRef(ref entry) && !entry.IsReturned && entry.Id == id)
                {
                    entry.IsReturned = true;
                    break;
                }
            }
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

    /// <summary>Removes and returns the events without an answer, in the order in which they were sent.</summary>
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

    private void CompleteDrainedLocked()
    {
        if (pending.Count == 0)
        {
            drained?.TrySetResult();
            drained = null;
        }
    }
}
