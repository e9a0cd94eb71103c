using System.Data.Common;
using System.Threading.Channels;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace EventBus;

/// <summary>A SQLite file with its one writer and its readers. The client blocks its thread whatever its methods are called, so each of them has a thread of its own.</summary>
internal sealed class SqliteDatabase : SqlDatabase
{
    /// <summary>What an effect gets to end after it was told to.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly SqliteFile file;
    private readonly SqliteStoreOptions options;
    private readonly ILogger log;
    private readonly SqlWriter writer;
    private readonly SqlReaders readers;
    private TimeProvider time = TimeProvider.System;
    private SqlClock? clock;
    private long app;

    public SqliteDatabase(SqliteFile file, SqliteStoreOptions options, ILogger log)
    {
        (this.file, this.options, this.log) = (file, options, log);
        writer = new SqlWriter(async () => new SqlSession(await file.OpenWriterAsync(), app), file.Explain, IsDamage);
        readers = new SqlReaders(async () => new SqlSession(await file.OpenReaderAsync(), app), file.Explain);
    }

    public override SqlDialect Dialect { get; } = new SqliteDialect();

    public override string Prefix => options.TablePrefix;

    public async ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        time = setup.Time;
        writer.Start(time);
        readers.Start();
        try
        {
            app = await writer.RunAsync(session => new SqlSchema(Dialect, Prefix).OpenAsync(session, setup.ServiceName), cancellationToken);
            clock = new SqlClock(time, Prefix);
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
            if (clock is { WasSet: true } set)
            {
                set.Remember(await writer.RunAsync(set.FollowAsync, cancellationToken));
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

    public override async ValueTask RunEffectsAsync(SqlSession session, IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.EffectTimeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var running = RunAsync(effects, session.Transaction!, stop.Token);
        await EndAsync(running.WaitAsync(stop.Token));
        if (!running.IsCompleted)
        {
            // A statement that runs for ever does not look at the token.
            raw.sqlite3_interrupt(((SqliteConnection)session.Connection).Handle);
            await EndAsync(running.WaitAsync(Grace, time, CancellationToken.None));
        }

        if (!running.IsCompleted)
        {
            log.EffectAbandoned(options.EffectTimeout);
            session.IsAbandoned = true;
            throw new EffectException(new TimeoutException($"An effect took longer than {options.EffectTimeout} (SqliteStoreOptions.EffectTimeout) and did not end when it was told to."));
        }

        try
        {
            await running;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw new EffectException(deadline.IsCancellationRequested ? new TimeoutException($"An effect took longer than {options.EffectTimeout} (SqliteStoreOptions.EffectTimeout).", exception) : exception);
        }

        if (session.Transaction!.Connection is null)
        {
            throw new EffectException(new InvalidOperationException("An effect committed, rolled back or closed the transaction that it was given. Only the store may end it."));
        }
    }

    // On the thread pool, outside of the writer's context: an effect that blocks cannot lock the writer up with itself.
    private static async Task RunAsync(IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects, DbTransaction transaction, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        foreach (var effect in effects)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await effect(transaction, cancellationToken);
        }
    }

    /// <summary>Waits for the end, whatever it is.</summary>
    private static async Task EndAsync(Task task) => await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private ObjectDisposedException Closed() => new(null, $"The stores in the SQLite database '{file.Path}' are closed.");
}
