using StackExchange.Redis;

namespace EventBus;

/// <summary>The way of published events to Redis, in the order of the calls. What comes while much is unanswered gathers and goes in one write, which spares most of the system calls on both sides. Thread-safe.</summary>
internal sealed class RedisWriteQueue(IDatabase database)
{
    // A write goes as soon as it has this part of what is unanswered. So a lone event never waits, a steady stream waits for this part of a round trip, and the last of a burst for one.
    private const int Part = 8;
    private const int MaxEntries = 512;

    private readonly Lock gate = new();
    private readonly Queue<RedisWriteBatch> waiting = [];

    // The last of those that wait, while others may still join it.
    private RedisWriteBatch? open;
    private int unanswered;
    private bool isSending;

    /// <summary>Sends one entry, together with others.</summary>
    /// <returns>The write that takes it, and its position there.</returns>
    public (RedisWriteBatch Write, int Position) Add(RedisKey stream, NameValueEntry[] fields, CancellationToken deadline)
    {
        (RedisWriteBatch, int) place;
        lock (gate)
        {
            if (open is null || open.Deadline != deadline || open.Count == MaxEntries)
            {
                waiting.Enqueue(open = new RedisWriteBatch(new List<(RedisKey, NameValueEntry[])>(), together: false, deadline));
            }

            place = (open, open.Add(stream, fields));
        }

        SendDue();
        return place;
    }

    /// <summary>Sends a write of its own.</summary>
    public void Add(RedisWriteBatch write)
    {
        lock (gate)
        {
            waiting.Enqueue(write);
            open = null;
        }

        SendDue();
    }

    /// <summary>One caller at a time sends; what others bring meanwhile gathers.</summary>
    private void SendDue()
    {
        for (var write = NextDue(goesOn: false); write is not null; write = NextDue(goesOn: true))
        {
            write.Send(database);
            _ = GoOnAfterAsync(write);
        }
    }

    private RedisWriteBatch? NextDue(bool goesOn)
    {
        lock (gate)
        {
            if (isSending && !goesOn)
            {
                return null;
            }

            isSending = waiting.Count > 1 || (waiting.Count == 1 && (open is null || open.Count * Part >= unanswered));
            if (!isSending)
            {
                return null;
            }

            var next = waiting.Dequeue();
            open = open == next ? null : open;
            unanswered += next.Count;
            return next;
        }
    }

    private async Task GoOnAfterAsync(RedisWriteBatch write)
    {
        await write.Ended;
        lock (gate)
        {
            unanswered -= write.Count;
        }

        SendDue();
    }
}
