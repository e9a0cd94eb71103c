using EventBus.Transports;

namespace EventBus;

/// <summary>The calls that publish events of one key at the same time, in the order in which they began. Thread-safe.</summary>
/// <remarks>
/// While all goes well, calls are handed to the transport as they come. Once one of a key is to be repeated, those that have not begun wait until it is done with, and are then handed over in their order. A call is not
/// repeated for a key of which a later event may have been taken.
/// </remarks>
internal sealed class PublishLines
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Line> lines = new(StringComparer.Ordinal);

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
            var call = new Call(this, keys);
            foreach (var key in keys)
            {
                if (!lines.TryGetValue(key, out var line))
                {
                    lines.Add(key, line = new Line());
                }

                // Behind one that is to be repeated, or that waits behind such a one.
                call.State = line.Calls.Count == line.Begun ? call.State : State.Waiting;
            }

            for (var i = 0; i < keys.Length; i++)
            {
                var line = lines[keys[i]];
                line.Begun += call.State == State.Begun ? 1 : 0;
                call.Places[i] = line.Calls.AddLast(call);
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
        var overtaken = new HashSet<string>(call?.Overtaken ?? [], StringComparer.Ordinal);
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

    private static bool MayBeTaken(string key, ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            if (batch[i].KeyText == key && outcomes[i].Status is not (PublishStatus.Failed or PublishStatus.Rejected))
            {
                return true;
            }
        }

        return false;
    }

    private void Remove(Call call, int place, bool taken)
    {
        if (call.Places[place] is not { List: { } calls } node)
        {
            return;
        }

        if (taken)
        {
            for (var earlier = node.Previous; earlier is not null; earlier = earlier.Previous)
            {
                (earlier.Value.Overtaken ??= new HashSet<string>(StringComparer.Ordinal)).Add(call.Keys[place]);
            }
        }

        calls.Remove(node);
        if (calls.Count == 0)
        {
            lines.Remove(call.Keys[place]);
        }
    }

    /// <summary>A call is no longer in the hands of the transport.</summary>
    private void TakeBack(Call call)
    {
        if (call.State == State.Begun)
        {
            foreach (var key in call.Keys)
            {
                lines[key].Begun--;
            }
        }

        (call.State, call.WasAnswered) = (State.Waiting, true);
    }

    /// <summary>Whether a call may go: for the first time behind others that go for the first time, and again only at the head of its lines, with no other of them in the hands of the transport.</summary>
    private bool MayGo(Call call)
    {
        for (var i = 0; i < call.Keys.Length; i++)
        {
            if (call.Places[i] is not { List: { } } node)
            {
                continue;
            }

            if (call.WasAnswered && (node.Previous is not null || lines[call.Keys[i]].Begun > 0))
            {
                return false;
            }

            for (var earlier = node.Previous; earlier is not null; earlier = earlier.Previous)
            {
                if (earlier.Value.State != State.Begun)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Lets the first that waits in each line of a call go, if it may.</summary>
    private void Wake(Call call)
    {
        foreach (var key in call.Keys)
        {
            var node = lines.GetValueOrDefault(key)?.Calls.First;
            while (node is { Value.State: not State.Waiting })
            {
                node = node.Next;
            }

            if (node is { Value: { Turn: { } turn } next } && MayGo(next))
            {
                next.State = State.Released;
                turn.TrySetResult();
            }
        }
    }

    /// <summary>A call of the publisher's on its way.</summary>
    internal sealed class Call(PublishLines owner, string[] keys)
    {
        public string[] Keys => keys;

        public LinkedListNode<Call>?[] Places { get; } = new LinkedListNode<Call>?[keys.Length];

        /// <summary>The keys of which a later event may have been taken.</summary>
        public HashSet<string>? Overtaken { get; set; }

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

                if (owner.MayGo(this))
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
                if (!WasAnswered)
                {
                    State = State.Begun;
                    foreach (var key in keys)
                    {
                        owner.lines[key].Begun++;
                    }

                    owner.Wake(this);
                }
            }
        }

        /// <summary>Takes out what is not to be sent again, because a later event of its key may have been taken meanwhile.</summary>
        public void LeaveOutOvertaken(List<int> again, ReadOnlyMemory<Envelope> batch)
        {
            lock (owner.gate)
            {
                again.RemoveAll(index => batch.Span[index].KeyText is { } key && Overtaken?.Contains(key) == true);
            }
        }

        /// <summary>The transport has answered. The call leaves the lines of the keys that are done with.</summary>
        /// <returns>The places of the events that are to be sent again.</returns>
        public List<int> Conclude(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
        {
            lock (owner.gate)
            {
                owner.TakeBack(this);
                var again = Repeatable(batch, outcomes, this);
                var open = new HashSet<string>(StringComparer.Ordinal);
                foreach (var index in again)
                {
                    if (batch[index].KeyText is { } key)
                    {
                        open.Add(key);
                    }
                }

                for (var i = 0; i < keys.Length; i++)
                {
                    if (!open.Contains(keys[i]))
                    {
                        owner.Remove(this, i, MayBeTaken(keys[i], batch, outcomes));
                    }
                }

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
                owner.TakeBack(this);
                for (var i = 0; i < keys.Length; i++)
                {
                    owner.Remove(this, i, taken);
                }

                owner.Wake(this);
            }
        }
    }

    private sealed class Line
    {
        public LinkedList<Call> Calls { get; } = new();

        /// <summary>How many of them have begun, and were not answered yet.</summary>
        public int Begun { get; set; }
    }
}
