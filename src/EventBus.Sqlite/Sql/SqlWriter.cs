using System.Data;
using System.Threading.Channels;
using EventBus.Stores;

namespace EventBus;

/// <summary>The one writer of a database: whatever waits is done in one transaction, so that one sync to the disk serves all who wait for it.</summary>
/// <remarks>Each step has a savepoint of its own: one that fails is undone alone. Results are handed out when the commit has succeeded. After an error that may have harmed the connection it is opened anew.</remarks>
/// <param name="open">Opens a connection that writes.</param>
/// <param name="movedOf">Says why what a session writes would be lost; null when it would not.</param>
/// <param name="explain">Turns a database's error into one that says what to do.</param>
/// <param name="isDamage">Whether an error says that a part of the file is damaged.</param>
internal sealed class SqlWriter(Func<ValueTask<SqlSession>> open, Func<SqlSession, Exception?> movedOf, Func<Exception, Exception> explain, Func<Exception, bool> isDamage)
{
    private const int MaxWaiting = 1_024;
    private const int MaxBatch = 256;
    private const string Savepoint = "step";

    /// <summary>After how long a transaction takes no more steps: those that are done wait for its commit, and effects of handlers may be slow.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromMilliseconds(100);

    private readonly Channel<SqlOperation> queue = Channel.CreateBounded<SqlOperation>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private SqlSession? session;
    private Task loop = Task.CompletedTask;

    /// <summary>Why nothing can be written at present, or what else is wrong; null when all is well.</summary>
    public string? Problem { get; set; }

    public void Start(TimeProvider time) => loop = SqlThread.RunAsync("EventBus SQL writer", () => LoopAsync(time));

    public async ValueTask<T> RunAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        var operation = new SqlOperation<T>(step, cancellationToken);
        await queue.Writer.WriteAsync(operation, cancellationToken);
        return await operation.WaitAsync();
    }

    /// <summary>Does what waits, and closes.</summary>
    public async ValueTask CloseAsync()
    {
        queue.Writer.TryComplete();
        await loop;
    }

    private async Task LoopAsync(TimeProvider time)
    {
        var waiting = new Queue<SqlOperation>();

        // Whether a step ended the last transaction with itself. The others get a second try without it, but not a third: a full disk ends one after another.
        var ended = false;
        while (waiting.Count > 0 || await queue.Reader.WaitToReadAsync())
        {
            while (waiting.Count < MaxBatch && queue.Reader.TryRead(out var operation))
            {
                waiting.Enqueue(operation);
            }

            var (undone, cause) = await TryAsync(waiting, time);
            if (ended)
            {
                undone.ForEach(operation => operation.Fail(NotItsOwn(cause!)));
            }
            else
            {
                waiting = new Queue<SqlOperation>([.. undone, .. waiting]);
            }

            ended = cause is not null;
        }

        await CloseSessionAsync();
    }

    /// <summary>The failure is that of the step which ended the transaction. Of the others nothing has lasted, and nothing is wrong with them: they are tried again.</summary>
    private static StoreRefusedException NotItsOwn(Exception cause) =>
        cause is StoreRefusedException { Scope: StoreScope.Store } refused ? refused : new StoreRefusedException(StoreScope.Store, "Another step ended the transaction twice in a row. Nothing of this step was written, and it is tried again.", cause);

    /// <summary>Does steps in one transaction, as many as its time allows. When one of them ended the transaction, it returns the others that had begun, of which nothing has lasted, and the error.</summary>
    private async ValueTask<(List<SqlOperation> Undone, Exception? Cause)> TryAsync(Queue<SqlOperation> waiting, TimeProvider time)
    {
        if (await BeginAsync(waiting) is not { } current)
        {
            return ([], null);
        }

        var done = new List<SqlOperation>(waiting.Count);
        for (var began = time.GetTimestamp(); time.GetElapsedTime(began) < MaxTime && waiting.TryDequeue(out var operation);)
        {
            if (!operation.TryStart())
            {
                continue;
            }

            try
            {
                await current.Transaction!.SaveAsync(Savepoint);
                await operation.RunAsync(current);
                await current.Transaction!.ReleaseAsync(Savepoint);
                done.Add(operation);
            }
            catch (Exception exception)
            {
                var cause = explain(exception);
                operation.Fail(cause);
                if (isDamage(exception) || !await UndoAsync(current))
                {
                    await CloseSessionAsync();
                    return (done, cause);
                }
            }
        }

        await CommitAsync(current, done);
        return ([], null);
    }

    private async ValueTask<SqlSession?> BeginAsync(Queue<SqlOperation> waiting)
    {
        try
        {
            if (session is { } used && movedOf(used) is not null)
            {
                await CloseSessionAsync();
            }

            if (session is null)
            {
                session = await open();
                Problem = null;
            }

            session.Transaction = await session.Connection.BeginTransactionAsync(IsolationLevel.Serializable);
            return session;
        }
        catch (Exception exception)
        {
            var cause = explain(exception);
            Problem = cause.Message;

            // Those who came meanwhile would wait for the same again.
            while (waiting.TryDequeue(out var operation) || queue.Reader.TryRead(out operation))
            {
                operation.Fail(cause);
            }

            await CloseSessionAsync();
            return null;
        }
    }

    /// <summary>Undoes a step alone. False when the transaction is lost with it.</summary>
    private static async ValueTask<bool> UndoAsync(SqlSession current)
    {
        try
        {
            if (!current.IsAbandoned)
            {
                await current.Transaction!.RollbackAsync(Savepoint);
                await current.Transaction!.ReleaseAsync(Savepoint);
            }

            return !current.IsAbandoned;
        }
        catch (Exception)
        {
            // A full disk, an effect that ended the transaction: the database has undone everything already.
            return false;
        }
    }

    private async ValueTask CommitAsync(SqlSession current, List<SqlOperation> done)
    {
        try
        {
            await current.Transaction!.CommitAsync();
            await current.Transaction.DisposeAsync();
            current.Transaction = null;
            current.HasWritten = true;

            // Committed, into a file that nobody finds any more.
            if (movedOf(current) is { } moved)
            {
                throw moved;
            }
        }
        catch (Exception exception)
        {
            var cause = explain(exception);
            done.ForEach(operation => operation.Fail(cause));
            await CloseSessionAsync();
            return;
        }

        done.ForEach(operation => operation.Complete());
    }

    private async ValueTask CloseSessionAsync()
    {
        if (session is { } closing)
        {
            session = null;
            await closing.DisposeAsync();
        }
    }
}
