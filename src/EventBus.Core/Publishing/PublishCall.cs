using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Represents one publish call with at least one key, and its place in the lines of its keys
/// (<see cref="KeyedPublishQueue"/>).
/// </summary>
internal sealed class PublishCall(KeyedPublishQueue owner, string[] keys, long sequence)
{
    public string[] Keys => keys;

    /// <summary>The line of each key; null after the call has left it.</summary>
    public PublishLine?[] Lines { get; } = new PublishLine?[keys.Length];

    /// <summary>The position in the order in which the calls began.</summary>
    public long Sequence => sequence;

    /// <summary>Completes when the call is released; null if the call has not had to wait.</summary>
    public TaskCompletionSource? Turn { get; private set; }

    public PublishCallState State { get; set; }

    /// <summary>True after the first attempt had its outcomes: each further attempt is a retry.</summary>
    public bool IsRetry { get; private set; }

    /// <summary>
    /// Waits until the call may be sent. A new call that has nothing to wait for continues at once.
    /// </summary>
    /// <returns>False if the deadline passed first.</returns>
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

    /// <summary>
    /// Records that the transport has the events of the first attempt, so that the next call may be sent.
    /// </summary>
    public void MarkSent()
    {
        if (State == PublishCallState.Sent)
        {
            return;
        }

        lock (owner.Gate)
        {
            foreach (var line in Lines)
            {
                line!.Queue.Remove(this);
                line.SentCount++;
            }

            State = PublishCallState.Sent;
            owner.ReleaseNext(this);
        }
    }

    /// <summary>
    /// Returns the keys whose events must not be sent again: a later event may have been accepted, or the call has left
    /// the line of the key. The caller holds the gate.
    /// </summary>
    public HashSet<string> Overtaken()
    {
        var overtaken = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < keys.Length; i++)
        {
            if (Lines[i] is not { } line || line.LastPossiblyAccepted > sequence)
            {
                overtaken.Add(keys[i]);
            }
        }

        return overtaken;
    }

    /// <summary>
    /// Removes the events that must not be sent again, because a later event of their key may have been accepted while
    /// the call waited.
    /// </summary>
    /// <param name="retried">The indexes of the events to send again.</param>
    /// <param name="batch">The events of the call.</param>
    public void RemoveOvertaken(List<int> retried, ReadOnlyMemory<Envelope> batch)
    {
        lock (owner.Gate)
        {
            var overtaken = Overtaken();
            retried.RemoveAll(index => batch.Span[index].Key is { } key && overtaken.Contains(key));
        }
    }

    /// <summary>Records the outcomes. The call leaves the lines of the keys that are finished.</summary>
    /// <returns>The indexes of the events that must be sent again.</returns>
    public List<int> Conclude(ReadOnlySpan<Envelope> batch, ReadOnlySpan<PublishOutcome> outcomes)
    {
        lock (owner.Gate)
        {
            var retried = RepeatablePublishes.Find(batch, outcomes, this);
            var retriedKeys = BatchKeys.Of(batch, retried);
            var possiblyAccepted = BatchKeys.PossiblyAccepted(batch, outcomes);
            for (var i = 0; i < keys.Length; i++)
            {
                if (possiblyAccepted.Contains(keys[i]))
                {
                    // Also if the call has further events of the key to send: it may have sent an earlier one.
                    MarkPossiblyAccepted(i);
                }

                if (!retriedKeys.Contains(keys[i]))
                {
                    owner.Remove(this, i);
                }
                else if (State == PublishCallState.Sent)
                {
                    Lines[i]!.SentCount--;
                    Lines[i]!.Queue.Add(this);
                }
            }

            State = PublishCallState.Waiting;
            IsRetry = true;
            owner.ReleaseNext(this);
            return retried;
        }
    }

    /// <summary>Ends the call.</summary>
    /// <param name="possiblyAccepted">
    /// True if events whose outcomes were not recorded by <see cref="Conclude"/> may have been accepted.
    /// </param>
    public void Leave(bool possiblyAccepted)
    {
        lock (owner.Gate)
        {
            for (var i = 0; i < keys.Length; i++)
            {
                if (possiblyAccepted)
                {
                    MarkPossiblyAccepted(i);
                }

                owner.Remove(this, i);
            }

            owner.ReleaseNext(this);
        }
    }

    private void MarkPossiblyAccepted(int keyIndex)
    {
        if (Lines[keyIndex] is { } line)
        {
            line.LastPossiblyAccepted = Math.Max(line.LastPossiblyAccepted, sequence);
        }
    }
}
