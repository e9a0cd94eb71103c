using System.Data;
using System.Data.Common;
using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace EventBus;

/// <summary>
/// Accesses a SQLite file through one writer and several readers. The asynchronous methods of the SQLite client block
/// the calling thread, so the writer and each reader have a thread of their own.
/// </summary>
internal sealed class SqliteDatabase : SqlDatabase
{
    /// <summary>The time for which the store waits for an effect to end after its cancellation.</summary>
    private static readonly TimeSpan GraceAfterCancel = TimeSpan.FromSeconds(1);

    private readonly SqliteFile file;
    private readonly SqliteStoreOptions options;
    private readonly ILogger log;
    private readonly SqlWriter writer;
    private readonly SqlReaders readers;
    private TimeProvider time = TimeProvider.System;
    private SqlClock? clock;

    // The name of the application; null until OpenAsync has created or checked the tables.
    private string? service;

    // The number of the application in the database.
    private long app;

    // The last change of the file that was logged; null after the file was opened again.
    private string? loggedChange;

    public SqliteDatabase(SqliteFile file, SqliteStoreOptions options, ILogger log)
    {
        this.file = file;
        this.options = options;
        this.log = log;
        writer = new SqlWriter(OpenWriterAsync, CheckFile, file.Explain, IsDamage);
        readers = new SqlReaders(OpenReaderAsync, MustReopenAsync, file.Explain);
    }

    public override SqlDialect Dialect { get; } = new SqliteDialect();

    public override string Prefix => options.TablePrefix;

    /// <summary>Gets the problems of the file; empty if there are none.</summary>
    public IReadOnlyCollection<string> Problems => writer.Problem is { } problem ? [problem] : [];

    /// <summary>Creates the clock that the stores use for due times and leases.</summary>
    public TimeProvider CreateClock(TimeProvider machine) => clock = new SqlClock(machine, Prefix);

    public async ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        time = setup.TimeProvider;
        writer.Start(time);
        readers.Start();
        try
        {
            app = await writer.RunAsync(session => new SqlSchema(Dialect, Prefix).OpenAsync(session, setup.ServiceName), cancellationToken);
            service = setup.ServiceName;
            clock?.Remember(await writer.RunAsync(clock.FollowAsync, cancellationToken));
        }
        catch (Exception exception) when (exception is not (EventBusException or OperationCanceledException))
        {
            throw new EventBusException(exception.Message, exception);
        }
    }

    public async ValueTask CloseAsync()
    {
        await readers.CloseAsync();
        await writer.CloseAsync();
    }

    public override async ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        try
        {
            if (clock is not null && clock.MustFollow)
            {
                clock.Remember(await writer.RunAsync(clock.FollowAsync, cancellationToken));
            }

            return await writer.RunAsync(step, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw Closed();
        }
    }

    public override async ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        try
        {
            return await readers.RunAsync(step, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw Closed();
        }
    }

    public override async ValueTask RunEffectsAsync(
        SqlSession session,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.EffectTimeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var running = RunOnThreadPoolAsync(effects, session.Transaction!, stop.Token);
        await running.WaitAsync(stop.Token).Quietly();
        if (!running.IsCompleted)
        {
            // A statement that is running does not observe the token, so it is interrupted.
            raw.sqlite3_interrupt(((SqliteConnection)session.Connection).Handle);
            await running.WaitAsync(GraceAfterCancel, time, CancellationToken.None).Quietly();
        }

        if (!running.IsCompleted)
        {
            log.EffectAbandoned(options.EffectTimeout);
            session.IsAbandoned = true;
            throw new EffectException(new TimeoutException(
                $"An effect took longer than {options.EffectTimeout} (SqliteStoreOptions.EffectTimeout) and did not end when its token "
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
                $"An effect took longer than {options.EffectTimeout} (SqliteStoreOptions.EffectTimeout).",
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

    private async ValueTask<SqlSession> OpenReaderAsync() => new(await file.OpenReaderAsync(), app);

    /// <summary>
    /// Opens the file. If it is opened again, it may be a new one, so the tables are created if necessary.
    /// </summary>
    private async ValueTask<SqlSession> OpenWriterAsync()
    {
        var session = new SqlSession(await file.OpenWriterAsync(), app);
        if (service is null)
        {
            // OpenAsync creates the tables.
            return session;
        }

        try
        {
            await using var transaction = await session.Connection.BeginTransactionAsync(IsolationLevel.Serializable);
            session.Transaction = transaction;
            app = await new SqlSchema(Dialect, Prefix).OpenAsync(session, service);
            await transaction.CommitAsync();
            session.Transaction = null;
            Volatile.Write(ref loggedChange, null);
            return session;
        }
        catch (Exception)
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Returns the reason why data written by the session would be lost; null if it would not be. Logs that reason
    /// once, and updates the problem of the writer.
    /// </summary>
    private StoreRefusedException? CheckFile(SqlSession session)
    {
        var connection = (SqliteConnection)session.Connection;
        var reason = SqliteFileCheck.ChangeOf(connection);
        if (reason is null)
        {
            var isLogMissing = session.HasWritten && SqliteFileCheck.IsLogMissing(connection);
            writer.Problem = isLogMissing
                ? $"The write-ahead log of the SQLite database '{file.Path}' was deleted while the stores use it. Stop every process "
                    + "that uses the database: the last one saves the data of the log. Then start them again."
                : null;
            return null;
        }

        if (Interlocked.Exchange(ref loggedChange, reason) is null)
        {
            log.FileMoved(file.Path, reason);
        }

        return new StoreRefusedException(StoreScope.Store, $"The SQLite database '{file.Path}' {reason}. It is opened again.");
    }

    /// <summary>
    /// Returns true if a reading session must be closed because its file was moved or replaced. Returns only after the
    /// writer has opened, and if necessary created, the file that the reader then opens.
    /// </summary>
    private async ValueTask<bool> MustReopenAsync(SqlSession session)
    {
        if (SqliteFileCheck.ChangeOf((SqliteConnection)session.Connection) is null)
        {
            return false;
        }

        await writer.RunAsync(static _ => ValueTask.FromResult(true), CancellationToken.None);
        return true;
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

    private ObjectDisposedException Closed() => new(null, $"The stores in the SQLite database '{file.Path}' are closed.");
}
