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
    /// <summary>Held while calls and their lines change.</summary>
    public Lock Gate { get; } = new();

    private readonly Dictionary<string, PublishLine> lines = new(StringComparer.Ordinal);
    private long lastSequence;

    /// <summary>Adds a call to the lines of its keys. Returns null if no event has a key.</summary>
    public PublishCall? Enter(ReadOnlySpan<Envelope> batch)
    {
        var keys = KeysOf(batch);
        if (keys.Length == 0)
        {
            return null;
        }

        lock (Gate)
        {
            lastSequence++;
            var call = new PublishCall(this, keys, lastSequence) { State = PublishCallState.Sent };
            for (var i = 0; i < keys.Length; i++)
            {
                var line = LineOf(keys[i]);
                call.Lines[i] = line;
                if (line.Queue.Count > 0)
                {
                    // The line contains a call that must be retried, or calls that wait behind one.
                    call.State = PublishCallState.Waiting;
                }
            }

            foreach (var line in call.Lines)
            {
                if (call.State == PublishCallState.Sent)
                {
                    line!.SentCount++;
                }
                else
                {
                    line!.Queue.Add(call);
                }
            }

            return call;
        }
    }

    /// <summary>
    /// Removes a call from the line of one of its keys. Does nothing if it has left that line. The caller holds the
    /// gate.
    /// </summary>
    public void Remove(PublishCall call, int keyIndex)
    {
        if (call.Lines[keyIndex] is not { } line)
        {
            return;
        }

        if (call.State == PublishCallState.Sent)
        {
            line.SentCount--;
        }
        else
        {
            line.Queue.Remove(call);
        }

        call.Lines[keyIndex] = null;
        if (line.SentCount == 0 && line.Queue.Count == 0)
        {
            lines.Remove(call.Keys[keyIndex]);
        }
    }

    /// <summary>
    /// Returns true if a waiting call may be sent: it is the first of the queue of each of its keys. A retry also
    /// requires that no other call of its keys is being sent. The caller holds the gate.
    /// </summary>
    public static bool CanStart(PublishCall call)
    {
        foreach (var line in call.Lines)
        {
            if (line is null)
            {
                continue;
            }

            if (line.Queue.Min != call || (call.IsRetry && line.SentCount > 0))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Releases the calls that may be sent after a call was sent or has left its lines. The caller holds the gate.
    /// </summary>
    /// <param name="call">The call that was sent or has left its lines.</param>
    public void ReleaseNext(PublishCall call)
    {
        foreach (var key in call.Keys)
        {
            var next = lines.GetValueOrDefault(key)?.Queue.Min;

            // A call without a turn does not wait yet. It checks by itself whether it may be sent.
            if (next is { State: PublishCallState.Waiting, Turn: { } turn } && CanStart(next))
            {
                next.State = PublishCallState.Released;
                turn.TrySetResult();
            }
        }
    }

    private PublishLine LineOf(string key)
    {
        if (!lines.TryGetValue(key, out var line))
        {
            line = new PublishLine();
            lines.Add(key, line);
        }

        return line;
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
                keys ??= new HashSet<string>(StringComparer.Ordinal);
                keys.Add(key);
            }
        }

        return keys is null ? [] : [.. keys];
    }
}
