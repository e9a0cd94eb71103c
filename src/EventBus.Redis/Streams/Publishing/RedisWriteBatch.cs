using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Represents a batch of entries that are sent to Redis in one write and share a deadline.
/// <see cref="RedisPublisher"/> fills and sends it.
/// </summary>
internal sealed class RedisWriteBatch
{
    private readonly TaskCompletionSource ended;
    private readonly IList<(RedisKey Stream, NameValueEntry[] Fields)> entries;
    private readonly bool isTransaction;
    private readonly bool hasOneWaiter;
    private readonly CancellationTokenRegistration expiry;

    // The error of the whole batch. It applies to the entries that have no answer of their own.
    private Exception? error;

    // Null while the batch waits. A single exchange decides: either the batch is sent and this array receives the
    // answers, or it has expired and is never sent.
    private Task<RedisValue>?[]? answers;

    // Marks an expired batch. An array of answers is never equal to it, because it is never empty.
    private static Task<RedisValue>?[] Expired => Array.Empty<Task<RedisValue>?>();

    /// <summary>Creates a batch, which waits until it is sent.</summary>
    /// <param name="entries">The first entries. The batch owns the list after the call.</param>
    /// <param name="isTransaction">
    /// True to send the entries as one transaction, without other commands in between. Otherwise as separate commands.
    /// </param>
    /// <param name="deadline">Cancels a batch that still waits to be sent, and the wait for the answers.</param>
    /// <param name="hasOneWaiter">
    /// True if a single publish waits for the batch. It continues on the thread on which the client reports the answer,
    /// as it does after a call of the client.
    /// </param>
    public RedisWriteBatch(
        IList<(RedisKey Stream, NameValueEntry[] Fields)> entries,
        bool isTransaction,
        CancellationToken deadline,
        bool hasOneWaiter = false)
    {
        this.entries = entries;
        this.hasOneWaiter = hasOneWaiter;
        ended = new(hasOneWaiter ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
        this.isTransaction = isTransaction;
        Deadline = deadline;
        expiry = deadline.UnsafeRegister(static state => ((RedisWriteBatch)state!).Expire(), this);
    }

    public CancellationToken Deadline { get; }

    public int Count => entries.Count;

    /// <summary>Completes when every entry has its answer, or when the deadline has passed. Never fails.</summary>
    public Task Ended => ended.Task;

    /// <summary>Adds an entry to a batch that waits.</summary>
    /// <returns>The position of the entry.</returns>
    public int Add(RedisKey stream, NameValueEntry[] fields)
    {
        entries.Add((stream, fields));
        return entries.Count - 1;
    }

    /// <summary>Passes the entries to the client, unless the deadline has passed. Does not throw.</summary>
    public void Send(IDatabase database)
    {
        if (Interlocked.CompareExchange(ref answers, new Task<RedisValue>?[entries.Count], null) is null)
        {
            _ = SendAsync(database);
        }
    }

    /// <summary>Gets the outcome of an entry. Call it only after the batch has ended.</summary>
    /// <param name="position">The position of the entry.</param>
    /// <param name="address">The address of Redis, for the text of an error; null if it is not known.</param>
    public async ValueTask<PublishOutcome> OutcomeAsync(int position, RedisAddress? address = null)
    {
        var sent = Volatile.Read(ref answers);
        if (sent == Expired)
        {
            return PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent."));
        }

        var answer = sent is null ? null : Volatile.Read(ref sent[position]);
        if (answer is { IsCompletedSuccessfully: true })
        {
            return OutcomeOf(await answer);
        }

        address ??= RedisAddress.Unknown;
        var problem = answer?.Exception?.InnerException ?? error;
        return problem is null
            ? PublishOutcome.InDoubt(new TimeoutException($"Redis at {address} did not answer in time."))
            : RedisErrors.OutcomeOf(address.Explain(problem));
    }

    /// <summary>
    /// Returns accepted only if the answer is the id of an entry. After any other answer the outcome is in doubt,
    /// because it may belong to another command.
    /// </summary>
    internal static PublishOutcome OutcomeOf(RedisValue answer) => RedisStreamId.TryParse(answer, out _)
        ? PublishOutcome.Accepted
        : PublishOutcome.InDoubt(new EventBusException(
            "Redis, or a proxy before it, answered the publish with a text that is not the id of a stream entry. "
            + "Publish again under the same id."));

    private async Task SendAsync(IDatabase database)
    {
        var isAnsweredLater = false;
        try
        {
            var sending = ExecuteAsync(database);
            isAnsweredLater = !sending.IsCompleted;
            await sending;
        }
        catch (Exception exception)
        {
            error = exception;
        }

        expiry.Unregister();
        End(isOnSender: !isAnsweredLater);
    }

    /// <summary>Passes the entries to the client. The task completes when the answers have arrived.</summary>
    private Task ExecuteAsync(IDatabase database)
    {
        if (Count == 1)
        {
            return SendEntry(database, 0);
        }

        var transaction = isTransaction ? database.CreateTransaction() : null;
        var batch = transaction ?? database.CreateBatch();
        for (var i = 0; i < Count; i++)
        {
            SendEntry(batch, i);
        }

        if (transaction is not null)
        {
            return transaction.ExecuteAsync();
        }

        batch.Execute();
        return AllAnsweredAsync();
    }

    private Task SendEntry(IDatabaseAsync target, int position)
    {
        var (stream, fields) = entries[position];
        var answer = target.StreamAddAsync(stream, fields);
        Volatile.Write(ref answers![position], answer);
        return answer;
    }

    /// <summary>
    /// Waits for all answers, the last one first: Redis answers in order, so the others have usually arrived by then.
    /// </summary>
    private async Task AllAnsweredAsync()
    {
        for (var i = Count - 1; i >= 0; i--)
        {
            await ((Task)answers![i]!).Quietly();
        }
    }

    /// <summary>Ends the wait. A batch that was not sent until now is never sent.</summary>
    private void Expire()
    {
        Interlocked.CompareExchange(ref answers, Expired, null);
        End(isOnSender: true);
    }

    /// <summary>Ends the wait for the outcomes.</summary>
    /// <param name="isOnSender">
    /// True on a thread that sends other batches or ends the waits of other publishes: the code that waits for a single
    /// publish must not run there.
    /// </param>
    private void End(bool isOnSender)
    {
        if (hasOneWaiter && isOnSender)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static batch => batch.ended.TrySetResult(), this, preferLocal: false);
        }
        else
        {
            ended.TrySetResult();
        }
    }
}
