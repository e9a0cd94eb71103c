using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// Writes to a database. The queued steps run together in one transaction, so that one sync to the disk serves all of
/// them.
/// </summary>
/// <remarks>
/// Each step has a savepoint of its own, so that a step that fails is rolled back alone. A few errors end the whole
/// transaction: a full disk, damage of the file, an effect that ended it or that does not end. Results are delivered
/// after the commit has succeeded. After such an error, the connection is opened again.
/// </remarks>
/// <param name="open">Opens a connection that writes.</param>
/// <param name="checkFile">
/// Returns the reason why data written by a session would be lost; null if it would not be.
/// </param>
/// <param name="explain">Converts an error of the database into an exception that says what to do.</param>
/// <param name="isDamage">Returns true if an error says that a part of the file is damaged.</param>
internal sealed class SqlWriter(
    Func<ValueTask<SqlSession>> open,
    Func<SqlSession, Exception?> checkFile,
    Func<Exception, Exception> explain,
    Func<Exception, bool> isDamage)
{
    private const int MaxWaiting = 1_024;
    private const int MaxBatch = 256;

    /// <summary>
    /// The time after which a transaction accepts no more steps, because completed steps wait for its commit, and
    /// effects of handlers may be slow.
    /// </summary>
    private static readonly TimeSpan MaxTransactionTime = TimeSpan.FromMilliseconds(100);

    private readonly Channel<SqlOperation> queue =
        Channel.CreateBounded<SqlOperation>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly SqlWriteConnection connection = new(open, checkFile);
    private Task loop = Task.CompletedTask;

    /// <summary>
    /// Gets or sets the reason why writes fail at present, or a problem that the owner has found; null if there is
    /// none.
    /// </summary>
    public string? Problem
    {
        get => connection.Problem;
        set => connection.Problem = value;
    }

    public void Start(TimeProvider time) => loop = SqlThread.RunAsync("EventBus SQL writer", () => LoopAsync(time));

    public async ValueTask<T> RunAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        var operation = new SqlOperation<T>(step, cancellationToken);
        await queue.Writer.WriteAsync(operation, cancellationToken);
        return await operation.WaitAsync();
    }

    /// <summary>Completes the queued steps, then closes the connection.</summary>
    public async ValueTask CloseAsync()
    {
        queue.Writer.TryComplete();
        await loop;
    }

    private async Task LoopAsync(TimeProvider time)
    {
        var waiting = new Queue<SqlOperation>();

        // True if a step ended the previous transaction. Its other steps are then tried again. If the next transaction
        // is ended too, all its steps fail, because on a full disk each step ends its transaction.
        var wasPreviousEnded = false;
        while (waiting.Count > 0 || await queue.Reader.WaitToReadAsync())
        {
            while (waiting.Count < MaxBatch && queue.Reader.TryRead(out var operation))
            {
                waiting.Enqueue(operation);
            }

            var (undone, cause) = await TryAsync(waiting, time);
            if (wasPreviousEnded)
            {
                undone.ForEach(operation => operation.FailUndone(cause!));
            }
            else
            {
                waiting = new Queue<SqlOperation>([.. undone, .. waiting]);
            }

            wasPreviousEnded = cause is not null;
        }

        await connection.CloseAsync();
    }

    /// <summary>
    /// Runs steps in one transaction, as many as the time limit allows. If a step ends the transaction, returns the
    /// error and the other steps that had run; nothing of those was written.
    /// </summary>
    private async ValueTask<(List<SqlOperation> Undone, Exception? Cause)> TryAsync(Queue<SqlOperation> waiting, TimeProvider time)
    {
        if (await BeginAsync(waiting) is not { } current)
        {
            return ([], null);
        }

        var done = new List<SqlOperation>(waiting.Count);
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < MaxTransactionTime && waiting.TryDequeue(out var operation))
        {
            if (!operation.TryStart())
            {
                continue;
            }

            try
            {
                await SqlWriteConnection.RunAsync(current, operation);
                done.Add(operation);
            }
            catch (Exception exception)
            {
                var cause = explain(exception);
                operation.Fail(cause);
                if (isDamage(exception) || !await SqlWriteConnection.UndoAsync(current))
                {
                    await connection.CloseAsync();
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
            return await connection.BeginAsync();
        }
        catch (Exception exception)
        {
            var cause = explain(exception);
            Problem = cause.Message;

            // Steps that were queued in the meantime would wait for the same error.
            while (waiting.TryDequeue(out var operation) || queue.Reader.TryRead(out operation))
            {
                operation.Fail(cause);
            }

            await connection.CloseAsync();
            return null;
        }
    }

    private async ValueTask CommitAsync(SqlSession current, List<SqlOperation> done)
    {
        try
        {
            await connection.CommitAsync(current);
        }
        catch (Exception exception)
        {
            var cause = explain(exception);
            done.ForEach(operation => operation.Fail(cause));
            await connection.CloseAsync();
            return;
        }

        done.ForEach(operation => operation.Complete());
    }
}
