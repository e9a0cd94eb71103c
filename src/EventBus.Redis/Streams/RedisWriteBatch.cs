using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Entries that go to Redis in one write and share a deadline. Filled and sent by <see cref="RedisWriteQueue"/>.</summary>
internal sealed class RedisWriteBatch
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IList<(RedisKey Stream, NameValueEntry[] Fields)> entries;
    private readonly CancellationTokenRegistration limit;
    private Exception? error;

    // Null while it waits. One exchange decides: it is taken, with room for the answers, or it expired before and is never sent.
    private Task<RedisValue>?[]? answers;

    // A write has one entry at least, so that its answers are never this one.
    private static Task<RedisValue>?[] Expired => Array.Empty<Task<RedisValue>?>();

    /// <param name="entries">What it begins with. Owned by the write from now on.</param>
    /// <param name="together">All or none of the entries, as a transaction. Otherwise each has a fate of its own.</param>
    /// <param name="deadline">Ends the waiting for its turn and for the answers.</param>
    public RedisWriteBatch(IList<(RedisKey Stream, NameValueEntry[] Fields)> entries, bool together, CancellationToken deadline)
    {
        (this.entries, Together, Deadline) = (entries, together, deadline);
        limit = deadline.UnsafeRegister(static state => ((RedisWriteBatch)state!).TimeIsUp(), this);
    }

    public bool Together { get; }

    public CancellationToken Deadline { get; }

    public int Count => entries.Count;

    /// <summary>Completes when every entry has its answer, or time is up. Never fails.</summary>
    public Task Ended => ended.Task;

    /// <returns>The position of the entry.</returns>
    public int Add(RedisKey stream, NameValueEntry[] fields)
    {
        entries.Add((stream, fields));
        return entries.Count - 1;
    }

    /// <summary>Hands the entries to the client, unless time was up before. Does not throw.</summary>
    public void Send(IDatabase database)
    {
        if (Interlocked.CompareExchange(ref answers, new Task<RedisValue>?[entries.Count], null) is null)
        {
            _ = SendAsync(database);
        }
    }

    /// <summary>What became of an entry. Ask when the write has ended.</summary>
    public async ValueTask<PublishOutcome> OutcomeAsync(int position)
    {
        var all = Volatile.Read(ref answers);
        if (all == Expired)
        {
            return PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent."));
        }

        var answer = all is null ? null : Volatile.Read(ref all[position]);
        return answer is { IsCompletedSuccessfully: true } ? RedisTransport.Judge(await answer)
            : (answer?.Exception?.InnerException ?? error) is { } problem ? RedisTransport.Judge(problem)
            : PublishOutcome.InDoubt(new TimeoutException("Redis did not answer in time."));
    }

    private async Task SendAsync(IDatabase database)
    {
        try
        {
            await HandOver(database);
        }
        catch (Exception exception)
        {
            // What has no answer of its own has this one.
            error = exception;
        }

        limit.Unregister();
        ended.TrySetResult();
    }

    /// <returns>Completes when the answers are there.</returns>
    private Task HandOver(IDatabase database)
    {
        if (Count == 1)
        {
            return Ask(database, 0);
        }

        var transaction = Together ? database.CreateTransaction() : null;
        var batch = transaction ?? database.CreateBatch();
        for (var i = 0; i < Count; i++)
        {
            Ask(batch, i);
        }

        if (transaction is not null)
        {
            return transaction.ExecuteAsync();
        }

        batch.Execute();
        return AllAnsweredAsync();
    }

    private Task Ask(IDatabaseAsync target, int position)
    {
        var (stream, fields) = entries[position];
        var answer = target.StreamAddAsync(stream, fields);
        Volatile.Write(ref answers![position], answer);
        return answer;
    }

    /// <summary>Redis answers in order: whoever waits for the last one first hardly ever waits again.</summary>
    private async Task AllAnsweredAsync()
    {
        for (var i = Count - 1; i >= 0; i--)
        {
            await ((Task)answers![i]!).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void TimeIsUp()
    {
        Interlocked.CompareExchange(ref answers, Expired, null);
        ended.TrySetResult();
    }
}
