using System.Data;
using System.Data.Common;
using System.Threading.Channels;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Accesses a SQLite file through one writer and several readers. The asynchronous methods of the SQLite client block
/// the calling thread, so the writer and each reader have a thread of their own.
/// </summary>
internal sealed class SqliteDatabase : SqlDatabase
{
    private readonly SqliteFile file;
    private readonly SqliteStoreOptions options;
    private readonly ILogger log;
    private readonly SqliteFileWatch watch;
    private readonly SqlWriter writer;
    private readonly SqlReaders readers;
    private TimeProvider time = TimeProvider.System;
    private SqlClock? clock;

    // The name of the application; null until OpenAsync has created or checked the tables.
    private string? service;

    // The number of the application in the database.
    private long app;

    public SqliteDatabase(SqliteFile file, SqliteStoreOptions options, ILogger log)
    {
        this.file = file;
        this.options = options;
        this.log = log;
        watch = new SqliteFileWatch(file.Path, log);
        var errors = new SqliteErrors(file.Path, options.BusyTimeout);
        writer = new SqlWriter(OpenWriterAsync, CheckFile, errors.Explain, IsDamage);
        readers = new SqlReaders(OpenReaderAsync, MustReopenAsync, errors.Explain);
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

    public override ValueTask RunEffectsAsync(
        SqlSession session,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        CancellationToken cancellationToken)
    {
        var runner = new EffectRunner(options.EffectTimeout, time, log);
        return runner.RunAsync(session, effects, cancellationToken);
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
            watch.RecordOpened();
            return session;
        }
        catch (Exception)
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Returns the reason why data written by the session would be lost; null if it would not be. Updates the problem
    /// of the writer.
    /// </summary>
    private StoreRefusedException? CheckFile(SqlSession session)
    {
        var change = watch.Check(session);
        if (change is null)
        {
            writer.Problem = watch.ProblemOf(session);
        }

        return change;
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

    private ObjectDisposedException Closed() => new(null, $"The stores in the SQLite database '{file.Path}' are closed.");
}
