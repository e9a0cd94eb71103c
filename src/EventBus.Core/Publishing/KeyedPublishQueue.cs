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
    private long latest;

    /// <summary>Adds a call to the queues of its keys. Returns null if no event has a key.</summary>
    public PublishCall? Enter(ReadOnlySpan<Envelope> batch)
    {
        var keys = KeysOf(batch);
        if (keys.Length == 0)
        {
            return null;
        }

        lock (Gate)
        {
            var call = new PublishCall(this, keys, ++latest);
            for (var i = 0; i < keys.Length; i++)
            {
                if (!lines.TryGetValue(keys[i], out var line))
                {
                    lines.Add(keys[i], line = new PublishLine());
                }

                // Waits if the queue contains a call that must be retried, or calls that wait behind one.
                call.State = line.Queue.Count == 0 ? call.State : PublishCallState.Waiting;
                call.Lines[i] = line;
            }

            foreach (var line in call.Lines)
            {
                if (call.State == PublishCallState.Begun)
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

    /// <summary>Removes a call from the line of one of its keys. The caller holds the gate.</summary>
    public void Remove(PublishCall call, int place)
    {
        if (call.Lines[place] is not { } line)
        {
            return;
        }

        if (call.State == PublishCallState.Begun)
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
    public static bool CanStart(PublishCall call)
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
    public void Wake(PublishCall call)
    {
        foreach (var key in call.Keys)
        {
            if (lines.GetValueOrDefault(key)?.Queue.Min is { State: PublishCallState.Waiting, Turn: { } turn } next && CanStart(next))
            {
                next.State = PublishCallState.Released;
                turn.TrySetResult();
            }
        }
    }
}
