using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Orders concurrent publish calls by key: the calls of one key keep the order in which they began. Thread-safe.
/// </summary>
/// <remarks>
/// Without failures, calls are passed to the transport as they arrive. Once a call must be retried, the calls of its
/// keys that have not been sent wait until it is finished, and are then sent in their order. An event is not retried if
/// a later event of its key may have been accepted.
/// </remarks>
internal sealed class KeyedPublishQueue
{
    private static readonly Comparer<Call> BySequence = Comparer<Call>.Create((one, other) => one.Sequence.CompareTo(other.Sequence));

    private readonly Lock gate = new();
    private readonly Dictionary<string, Line> lines = new(StringComparer.Ordinal);
    private long latest;

    internal enum State
    {
        // Sent to the transport for the first time; others may follow.
        Begun,
        Waiting,

        // About to be sent as the next one, or alone for a retry; no other call may follow.
        Released,
    }

    /// <summary>Adds a call to the queues of its keys. Returns null if no event has a key.</summary>
    public Call? Enter(ReadOnlySpan<Envelope> batch)
    {
        var keys = KeysOf(batch);
        if (keys.Length == 0)
        {
            return null;
        }

        lock (gate)
        {
            var call = new Call(this, keys, ++latest);
            for (var i = 0; i < keys.Length; i++)
            {
                if (!lines.TryGetValue(keys[i], out var line))
                {
                    lines.Add(keys[i], line = new Line());
                }

                // Waits if the queue contains a call that must be retried, or calls that wait behind one.
                call.State = line.Queue.Count == 0 ? call.State : State.Waiting;
                call.Lines[i] = line;
            }

            foreach (var line in call.Lines)
            {
                if (call.State == State.Begun)
                {
                    line!.Begun++;
                }
                else
                {
                    line!.Queue.Add(call);
                }
            }

            return call;
        }
    }

    private static string[] KeysOf(ReadOnlySpan<Envelope> batch)
    {
        if (batch.Length == 1)
        {
            return batch[0].Key is { } only ? [only] : [];
        }

        HashSet<string>? keys = null;
        foreach (var envelope in batch)
        {
            if (envelope.Key is { } key)
            {
                (keys ??= new HashSet<string>(StringComparer.Ordinal)).Add(key);
            }
        }

        return keys is null ? [] : [.. keys];
    }

    /// <summary>
    /// Returns the indexes of the events of a batch that must be sent again: events that were certainly not sent,
    /// without an earlier event of the same key that failed for good and without a later one that may have been
    /// accepted.
    /// </summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">The outcome of each event.</param>
    /// <param name="call">The call; null if no event has a key.</param>
    public static List<int> Repeatable(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes, Call? call)
    {
        var overtaken = call?.Overtaken() ?? new HashSet<string>(StringComparer.Ordinal);
        var failed = new List<int>();
        for (var i = batch.Length - 1; i >= 0; i--)
        {
            var key = batch[i].Key;
            if (outcomes[i].Status == PublishStatus.Failed)
            {
                if (key is null || !overtaken.Contains(key))
                {
                    failed.Add(i);
                }
            }
            else if (key is not null && outcomes[i].Status != PublishStatus.Rejected)
            {
                overtaken.Add(key);
            }
        }

        failed.Reverse();
        var last = 0;
        var givenUp = new HashSet<string>(StringComparer.Ordinal);
        var again = new List<int>(failed.Count);
        foreach (var index in failed)
        {
            for (; last < index; last++)
            {
                if (outcomes[last].Status is PublishStatus.Rejected or PublishStatus.InDoubt && batch[last].Key is { } lost)
                {
                    givenUp.Add(lost);
                }
            }

            if (batch[index].Key is not { } key || !givenUp.Contains(key))
            {
                again.Add(index);
            }
        }

        return again;
    }

    private void Remove(Call call, int place)
    {
        if (call.Lines[place] is not { } line)
        {
            return;
        }

        if (call.State == State.Begun)
        {
            line.Begun--;
        }
        else
        {
            line.Queue.Remove(call);
        }

        call.Lines[place] = null;
        if (line.Begun + line.Queue.Count == 0)
        {
            lines.Remove(call.Keys[place]);
        }
    }

    /// <summary>
    /// Returns true if a call may be sent. A first send may follow other first sends. A retry requires that no other
    /// call of its keys is being sent.
    /// </summary>
    private static bool MayGo(Call call)
    {
        foreach (var line in call.Lines)
        {
            if (line is not null && (line.Queue.Min != call || (call.WasAnswered && line.Begun > 0)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Releases the first waiting call of each key of a call, if it may be sent.</summary>
    private void Wake(Call call)
    {
        foreach (var key in call.Keys)
        {
            if (lines.GetValueOrDefault(key)?.Queue.Min is { State: State.Waiting, Turn: { } turn } next && MayGo(next))
            {
                next.State = State.Released;
                turn.TrySetResult();
            }
        }
    }

    /// <summary>Represents one publish call.</summary>
    internal sealed class Call(KeyedPublishQueue owner, string[] keys, long sequence)
    {
        public string[] Keys => keys;

        /// <summary>The queue of each key; null after the call has left it.</summary>
        public Line?[] Lines { get; } = new Line?[keys.Length];

        /// <summary>The position in the order in which the calls began.</summary>
        public long Sequence => sequence;

        public TaskCompletionSource? Turn { get; private set; }

        public State State { get; set; }

        public bool WasAnswered { get; set; }

        /// <summary>
        /// Waits until the call may be sent. A new call that has nothing to wait for continues at once.
        /// </summary>
        /// <returns>False if the deadline came first.</returns>
        public async Task<bool> EnterAsync(CancellationToken deadline)
        {
            Task turn;
            lock (owner.gate)
            {
                if (State != State.Waiting)
                {
                    return true;
                }

                if (MayGo(this))
                {
                    State = State.Released;
                    return true;
                }

                Turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                turn = Turn.Task;
            }

            await turn.WaitAsync(deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            return turn.IsCompletedSuccessfully;
        }

        /// <summary>Records that the call was passed to the transport, so that the next call may follow.</summary>
        public void HandedOver()
        {
            if (State == State.Begun)
            {
                return;
            }

            lock (owner.gate)
            {
                foreach (var line in Lines)
                {
                    line!.Queue.Remove(this);
                    line.Begun++;
                }

                State = State.Begun;
                owner.Wake(this);
            }
        }

        /// <summary>
        /// Returns the keys whose events must not be sent again, because a later event may have been accepted or the
        /// call has left the queue.
        /// </summary>
        public HashSet<string> Overtaken()
        {
            var overtaken = new HashSet<string>(StringComparer.Ordinal);
            for (var i = 0; i < keys.Length; i++)
            {
                if (Lines[i] is not { } line || line.LastTaken > sequence)
                {
                    overtaken.Add(keys[i]);
                }
            }

            return overtaken;
        }

        /// <summary>
        /// Removes the events that must not be sent again, because a later event of their key may have been accepted in
        /// the meantime.
        /// </summary>
        public void LeaveOutOvertaken(List<int> again, ReadOnlyMemory<Envelope> batch)
        {
            lock (owner.gate)
            {
                var overtaken = Overtaken();
                again.RemoveAll(index => batch.Span[index].Key is { } key && overtaken.Contains(key));
            }
        }

        /// <summary>Records the outcomes. The call leaves the queues of the keys that are finished.</summary>
        /// <returns>The indexes of the events that must be sent again.</returns>
        public List<int> Conclude(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
        {
            lock (owner.gate)
            {
                var again = Repeatable(batch, outcomes, this);
                var open = new HashSet<string>(StringComparer.Ordinal);
                foreach (var index in again)
                {
                    if (batch[index].Key is { } key)
                    {
                        open.Add(key);
                    }
                }

                var taken = new HashSet<string>(StringComparer.Ordinal);
                for (var i = 0; i < batch.Length; i++)
                {
                    if (batch[i].Key is { } key && outcomes[i].Status is not (PublishStatus.Failed or PublishStatus.Rejected))
                    {
                        taken.Add(key);
                    }
                }

                for (var i = 0; i < keys.Length; i++)
                {
                    // Also for a key that is not finished: of several events of one key, an earlier one may have been
                    // accepted and a later one not.
                    MarkTaken(i, taken.Contains(keys[i]));
                    if (!open.Contains(keys[i]))
                    {
                        owner.Remove(this, i);
                    }
                    else if (State == State.Begun)
                    {
                        Lines[i]!.Begun--;
                        Lines[i]!.Queue.Add(this);
                    }
                }

                (State, WasAnswered) = (State.Waiting, true);
                owner.Wake(this);
                return again;
            }
        }

        /// <summary>Ends the call.</summary>
        /// <param name="taken">True if its events may have been accepted.</param>
        public void Leave(bool taken)
        {
            lock (owner.gate)
            {
                for (var i = 0; i < keys.Length; i++)
                {
                    MarkTaken(i, taken);
                    owner.Remove(this, i);
                }

                owner.Wake(this);
            }
        }

        private void MarkTaken(int place, bool taken)
        {
            if (taken && Lines[place] is { } line)
            {
                line.LastTaken = Math.Max(line.LastTaken, sequence);
            }
        }
    }

    /// <summary>
    /// Contains the calls of one key. No operation iterates over them, because a hot key may have very many.
    /// </summary>
    internal sealed class Line
    {
        /// <summary>The number of calls that were sent for the first time and have no outcome yet.</summary>
        public int Begun { get; set; }

        /// <summary>The other calls, in their order.</summary>
        public SortedSet<Call> Queue { get; } = new(BySequence);

        /// <summary>The sequence number of the latest call with an event that may have been accepted.</summary>
        public long LastTaken { get; set; }
    }
}
