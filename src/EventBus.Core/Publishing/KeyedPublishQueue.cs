using EventBus.Transports;

namespace EventBus;

/// <summary>The calls that publish events of one key at the same time, in the order in which they began. Thread-safe.</summary>
/// <remarks>
/// While all goes well, calls are handed to the transport as they come. Once one of a key is to be repeated, those that have not begun wait until it is done with, and are then handed over in their order. A call is not
/// repeated for a key of which a later event may have been taken.
/// </remarks>
internal sealed class KeyedPublishQueue
{
    private static readonly Comparer<Call> BySequence = Comparer<Call>.Create((one, other) => one.Sequence.CompareTo(other.Sequence));

    private readonly Lock gate = new();
    private readonly Dictionary<string, Line> lines = new(StringComparer.Ordinal);
    private long latest;

    internal enum State
    {
        // In the hands of the transport for the first time; others may follow.
        Begun,
        Waiting,

        // On its way to the transport, alone or as the next; none may follow.
        Released,
    }

    /// <summary>Adds a call to the lines of its keys; null where no event has a key.</summary>
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

                // Behind one that is to be repeated, or that waits behind such a one.
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
            return batch[0].KeyText is { } only ? [only] : [];
        }

        HashSet<string>? keys = null;
        foreach (var envelope in batch)
        {
            if (envelope.KeyText is { } key)
            {
                (keys ??= new HashSet<string>(StringComparer.Ordinal)).Add(key);
            }
        }

        return keys is null ? [] : [.. keys];
    }

    /// <summary>Which events of a batch are to be sent again: what was certainly not sent, with no earlier event of its key that is given up, and no later one that may have been taken.</summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">What became of each.</param>
    /// <param name="call">The call; null where no event has a key.</param>
    public static List<int> Repeatable(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes, Call? call)
    {
        var overtaken = call?.Overtaken() ?? new HashSet<string>(StringComparer.Ordinal);
        var failed = new List<int>();
        for (var i = batch.Length - 1; i >= 0; i--)
        {
            var key = batch[i].KeyText;
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
                if (outcomes[last].Status is PublishStatus.Rejected or PublishStatus.InDoubt && batch[last].KeyText is { } lost)
                {
                    givenUp.Add(lost);
                }
            }

            if (batch[index].KeyText is not { } key || !givenUp.Contains(key))
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

    /// <summary>A call goes for the first time behind others that go for the first time, and again only with no other of its lines in the hands of the transport.</summary>
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

    /// <summary>Lets the first that waits in each line of a call go, if it may.</summary>
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

    /// <summary>A call of the publisher's on its way.</summary>
    internal sealed class Call(KeyedPublishQueue owner, string[] keys, long sequence)
    {
        public string[] Keys => keys;

        /// <summary>The line of each key; null once the call has left it.</summary>
        public Line?[] Lines { get; } = new Line?[keys.Length];

        /// <summary>Its place in the order in which the calls began.</summary>
        public long Sequence => sequence;

        public TaskCompletionSource? Turn { get; private set; }

        public State State { get; set; }

        public bool WasAnswered { get; set; }

        /// <summary>Waits until the call may go; at once for one that has just begun.</summary>
        /// <returns>False when the deadline came first.</returns>
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

        /// <summary>The transport has the call in its hands: the next may follow.</summary>
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

        /// <summary>The keys whose events are not to be sent again: a later one may have been taken, or the call has left the line.</summary>
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

        /// <summary>Takes out what is not to be sent again, because a later event of its key may have been taken meanwhile.</summary>
        public void LeaveOutOvertaken(List<int> again, ReadOnlyMemory<Envelope> batch)
        {
            lock (owner.gate)
            {
                var overtaken = Overtaken();
                again.RemoveAll(index => batch.Span[index].KeyText is { } key && overtaken.Contains(key));
            }
        }

        /// <summary>The transport has answered. The call leaves the lines of the keys that are done with.</summary>
        /// <returns>The places of the events that are to be sent again.</returns>
        public List<int> Conclude(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
        {
            lock (owner.gate)
            {
                var again = Repeatable(batch, outcomes, this);
                var open = new HashSet<string>(StringComparer.Ordinal);
                foreach (var index in again)
                {
                    if (batch[index].KeyText is { } key)
                    {
                        open.Add(key);
                    }
                }

                var taken = new HashSet<string>(StringComparer.Ordinal);
                for (var i = 0; i < batch.Length; i++)
                {
                    if (batch[i].KeyText is { } key && outcomes[i].Status is not (PublishStatus.Failed or PublishStatus.Rejected))
                    {
                        taken.Add(key);
                    }
                }

                for (var i = 0; i < keys.Length; i++)
                {
                    // Also of a key that stays open: of a list, one event may have been taken, and a later one not.
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

        /// <summary>The call is over.</summary>
        /// <param name="taken">Its events may have been taken.</param>
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

    /// <summary>The calls of one key. No step walks them: a hot key may have very many.</summary>
    internal sealed class Line
    {
        /// <summary>How many have begun, and were not answered yet.</summary>
        public int Begun { get; set; }

        /// <summary>The others, in their order.</summary>
        public SortedSet<Call> Queue { get; } = new(BySequence);

        /// <summary>The latest call of which an event may have been taken.</summary>
        public long LastTaken { get; set; }
    }
}
