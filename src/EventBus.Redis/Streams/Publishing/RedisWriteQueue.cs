using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Sends published events to Redis in the order of the calls. Events that arrive while many are unanswered are
/// collected and sent in one write, which saves most of the system calls on both sides. Thread-safe.
/// </summary>
internal sealed class RedisWriteQueue(IDatabase database)
{
    // A write is sent as soon as it has an eighth of the number of unanswered entries. So a single event never waits,
    // events of a steady stream wait for an eighth of a round trip, and the last event of a burst waits for one round
    // trip.
    private const int Part = 8;
    private const int MaxEntries = 512;

    private readonly Lock gate = new();
    private readonly Queue<RedisWriteBatch> waiting = [];

    // The last waiting batch, as long as entries may be added to it.
    private RedisWriteBatch? open;
    private int unanswered;
    private bool isSending;

    /// <summary>Sends one entry, together with others.</summary>
    /// <returns>The batch that contains the entry, and its position there.</returns>
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

    /// <summary>Sends a separate batch.</summary>
    public void Add(RedisWriteBatch write)
    {
        lock (gate)
        {
            waiting.Enqueue(write);
            open = null;
        }

        SendDue();
    }

    /// <summary>
    /// Sends the batches that are due. One caller at a time sends; entries of other callers are collected.
    /// </summary>
    private void SendDue()
    {
        for (var write = NextDue(continues: false); write is not null; write = NextDue(continues: true))
        {
            write.Send(database);
            _ = ContinueAfterAsync(write);
        }
    }

    private RedisWriteBatch? NextDue(bool continues)
    {
        lock (gate)
        {
            if (isSending && !continues)
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

    private async Task ContinueAfterAsync(RedisWriteBatch write)
    {
        await write.Ended;
        lock (gate)
        {
            unanswered -= write.Count;
        }

        SendDue();
    }
}
