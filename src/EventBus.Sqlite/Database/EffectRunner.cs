using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Runs the effects of handlers in the transaction of a step, limits their time, and interrupts an effect that does not
/// end.
/// </summary>
/// <param name="timeout">The maximum duration of the effects of a step.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log for abandoned effects.</param>
internal sealed class EffectRunner(TimeSpan timeout, TimeProvider time, ILogger log)
{
    /// <summary>The time for which the store waits for an effect to end after its cancellation.</summary>
    private static readonly TimeSpan GraceAfterCancel = TimeSpan.FromSeconds(1);

    /// <summary>Runs effects one after the other.</summary>
    /// <exception cref="EffectException">An effect failed, took too long or ended the transaction.</exception>
    public async ValueTask RunAsync(
        SqlSession session,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var running = RunOnThreadPoolAsync(effects, session.Transaction!, stop.Token);
        await running.WaitAsync(stop.Token).Quietly();
        if (!running.IsCompleted && !await TryInterruptAsync(session, running))
        {
            log.EffectAbandoned(timeout);
            throw new EffectException(new TimeoutException(
                $"An effect took longer than {timeout} (SqliteStoreOptions.EffectTimeout) and did not end when its token "
                    + "was cancelled."));
        }

        try
        {
            await running;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception) when (deadline.IsCancellationRequested)
        {
            throw new EffectException(new TimeoutException(
                $"An effect took longer than {timeout} (SqliteStoreOptions.EffectTimeout).",
                exception));
        }
        catch (Exception exception)
        {
            throw new EffectException(exception);
        }

        if (session.Transaction!.Connection is null)
        {
            throw new EffectException(new InvalidOperationException(
                "An effect committed, rolled back or closed the transaction that it was given. Only the store may end it."));
        }
    }

    /// <summary>
    /// Interrupts the statements of effects that do not observe the token. Returns false if the effects did not end:
    /// their statements are then interrupted until the session is closed.
    /// </summary>
    private async ValueTask<bool> TryInterruptAsync(SqlSession session, Task running)
    {
        var interrupter = new StatementInterrupter((SqliteConnection)session.Connection);
        await running.WaitAsync(GraceAfterCancel, time, CancellationToken.None).Quietly();
        if (running.IsCompleted)
        {
            await interrupter.DisposeAsync();
            return true;
        }

        session.Abandon(interrupter);
        return false;
    }

    /// <summary>
    /// Runs effects on the thread pool, outside the writer's synchronization context, so that an effect that blocks
    /// cannot deadlock the writer.
    /// </summary>
    private static async Task RunOnThreadPoolAsync(
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        DbTransaction transaction,
        CancellationToken cancellationToken)
    {
        await BackendTasks.SwitchToThreadPool();
        foreach (var effect in effects)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await (effect(transaction, cancellationToken)
                ?? throw new InvalidOperationException("An effect given to OnCommit returned null instead of a task."));
        }
    }
}
