using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the records of one publish call and their outcomes. Records are sent by one thread at a time; outcomes come
/// from the threads of the client, and may come after the call has ended. Thread-safe.
/// </summary>
internal sealed class PublishCall
{
    private readonly Lock gate = new();
    private readonly Entry[] entries;
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HashSet<string>? topics;
    private KeyOrder order;
    private int open;
    private bool isClosed;

    /// <summary>Creates a call in which nothing is sent yet.</summary>
    /// <param name="count">The number of its events.</param>
    public PublishCall(int count)
    {
        entries = new Entry[count];
        open = count;
    }

    private enum State : byte
    {
        Waiting,
        Sent,
        Ended,
    }

    public int Count => entries.Length;

    /// <summary>The index of the next event to send. Used by the sender only.</summary>
    public int Next { get; set; }

    /// <summary>The number of events that have a record.</summary>
    public int Prepared { get; set; }

    /// <summary>Completes when each event has its outcome. Never fails.</summary>
    public Task Done => done.Task;

    /// <summary>True if its remaining events must no longer be sent.</summary>
    public bool IsClosed => Volatile.Read(ref isClosed);

    /// <summary>True if nothing of it is to be sent.</summary>
    public bool IsOver => IsClosed || Next == Count;

    /// <summary>
    /// Gets the topics of the events that are to be sent, as at the first call. Used by the sender only, when all
    /// events are prepared.
    /// </summary>
    public HashSet<string> GetTopicsToSend()
    {
        if (topics is null)
        {
            // An event that was rejected before has none.
            topics = new HashSet<string>(StringComparer.Ordinal);
            topics.UnionWith(entries.Skip(Next).Select(entry => entry.Record.Topic).Where(topic => topic.Length > 0));
        }

        return topics;
    }

    /// <summary>Sets the record of an event, before it is sent.</summary>
    public void Set(int index, in KafkaRecord record) => entries[index].Record = record;

    /// <summary>Gets the record of an event.</summary>
    public ref readonly KafkaRecord RecordAt(int index) => ref entries[index].Record;

    /// <summary>
    /// True if an event is still to be sent. It is not if it has an outcome, or if an earlier event of its key was not
    /// accepted: then it gets that outcome.
    /// </summary>
    public bool IsDue(int index)
    {
        lock (gate)
        {
            if (isClosed || entries[index].State != State.Waiting)
            {
                return false;
            }

            if (!order.IsHeldBack(entries[index].Record.Key))
            {
                return true;
            }

            End(index, KeyOrder.NotSent);
            return false;
        }
    }

    /// <summary>Marks an event as sent; false if the call was closed meanwhile.</summary>
    public bool TryBeginSend(int index)
    {
        lock (gate)
        {
            if (isClosed)
            {
                return false;
            }

            entries[index].State = State.Sent;
            return true;
        }
    }

    /// <summary>Marks an event as not sent after all: the client did not take it.</summary>
    public void UndoSend(int index)
    {
        lock (gate)
        {
            if (entries[index].State == State.Sent)
            {
                entries[index].State = State.Waiting;
            }
        }
    }

    /// <summary>Sets the outcome of an event. The first one counts.</summary>
    /// <param name="index">The index of the event.</param>
    /// <param name="outcome">The outcome.</param>
    public void Report(int index, PublishOutcome outcome)
    {
        lock (gate)
        {
            End(index, outcome);
        }
    }

    /// <summary>Ends the call: events that were sent are in doubt, the others have failed.</summary>
    /// <param name="notSent">The error of the events that were not sent.</param>
    /// <param name="notConfirmed">The error of the events that were sent.</param>
    public void Close(Func<Exception> notSent, Func<Exception> notConfirmed)
    {
        lock (gate)
        {
            isClosed = true;
            for (var i = 0; i < entries.Length; i++)
            {
                if (entries[i].State != State.Ended)
                {
                    End(i, entries[i].State == State.Sent ? PublishOutcome.InDoubt(notConfirmed()) : PublishOutcome.Failed(notSent()));
                }
            }
        }
    }

    /// <summary>Copies the outcomes. Call it after <see cref="Done"/> has completed.</summary>
    public void CopyTo(Span<PublishOutcome> target)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            target[i] = entries[i].Outcome;
        }
    }

    private void End(int index, PublishOutcome outcome)
    {
        if (entries[index].State == State.Ended)
        {
            return;
        }

        entries[index].State = State.Ended;
        entries[index].Outcome = outcome;
        order.Record(entries[index].Record.Key, outcome);
        open--;
        if (open == 0)
        {
            isClosed = true;
            done.TrySetResult();
        }
    }

    private struct Entry
    {
        public KafkaRecord Record;
        public PublishOutcome Outcome;
        public State State;
    }
}
