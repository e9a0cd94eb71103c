using EventBus.Transports;

namespace EventBus;

/// <summary>Represents one publish call.</summary>
internal sealed class PublishCall(KeyedPublishQueue owner, string[] keys, long sequence)
{
    public string[] Keys => keys;

    /// <summary>The queue of each key; null after the call has left it.</summary>
    public PublishLine?[] Lines { get; } = new PublishLine?[keys.Length];

    /// <summary>The position in the order in which the calls began.</summary>
    public long Sequence => sequence;

    public TaskCompletionSource? Turn { get; private set; }

    public PublishCallState State { get; set; }

    public bool WasAnswered { get; set; }

    /// <summary>
    /// Waits until the call may be sent. A new call that has nothing to wait for continues at once.
    /// </summary>
    /// <returns>False if the deadline came first.</returns>
    public async Task<bool> EnterAsync(CancellationToken deadline)
    {
        Task turn;
        lock (owner.Gate)
        {
            if (State != PublishCallState.Waiting)
            {
                return true;
            }

            if (KeyedPublishQueue.CanStart(this))
            {
                State = PublishCallState.Released;
                return true;
            }

            Turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            turn = Turn.Task;
        }

        await turn.WaitAsync(deadline).Quietly();
        return turn.IsCompletedSuccessfully;
    }

    /// <summary>Records that the transport has the events of the call, so that the next call may follow.</summary>
    public void MarkSent()
    {
        if (State == PublishCallState.Begun)
        {
            return;
        }

        lock (owner.Gate)
        {
            foreach (var line in Lines)
            {
                line!.Queue.Remove(this);
                line.Begun++;
            }

            State = PublishCallState.Begun;
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
        lock (owner.Gate)
        {
            var overtaken = Overtaken();
            again.RemoveAll(index => batch.Span[index].Key is { } key && overtaken.Contains(key));
        }
    }

    /// <summary>Records the outcomes. The call leaves the queues of the keys that are finished.</summary>
    /// <returns>The indexes of the events that must be sent again.</returns>
    public List<int> Conclude(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
    {
        lock (owner.Gate)
        {
            var again = RepeatablePublishes.Find(batch, outcomes, this);
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
                // The key is marked even if it has further events to send, because an earlier event of the key may have
                // been accepted.
                MarkTaken(i, taken.Contains(keys[i]));
                if (!open.Contains(keys[i]))
                {
                    owner.Remove(this, i);
                }
                else if (State == PublishCallState.Begun)
                {
                    Lines[i]!.Begun--;
                    Lines[i]!.Queue.Add(this);
                }
            }

            (State, WasAnswered) = (PublishCallState.Waiting, true);
            owner.Wake(this);
            return again;
        }
    }

    /// <summary>Ends the call.</summary>
    /// <param name="taken">True if its events may have been accepted.</param>
    public void Leave(bool taken)
    {
        lock (owner.Gate)
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
