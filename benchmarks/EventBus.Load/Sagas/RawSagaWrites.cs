using System.Diagnostics;
using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>
/// Measures the writes of that size that the clients of the stores achieve: each replaces the content of one row, if
/// its version is the expected one.
/// </summary>
internal static class RawSagaWrites
{
    private const int Rows = SagaLoad.AtOnce;

    private const string CompareAndSwap = """
        if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
        redis.call('HSET', KEYS[1], 'version', ARGV[2], 'content', ARGV[3])
        return 1
        """;

    /// <summary>Writes with the pragmas of the store: a transaction is on the disk when it returns.</summary>
    /// <param name="file">The file.</param>
    /// <param name="group">The number of writes in a transaction. The store combines waiting writes.</param>
    /// <param name="bytes">The size of each write.</param>
    /// <param name="time">The duration.</param>
    public static double Sqlite(string file, int group, int bytes, TimeSpan time)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        Execute(
            connection,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 67108864");
        Execute(connection, "CREATE TABLE sagas (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, due INTEGER, content BLOB NOT NULL); "
            + "CREATE INDEX by_due ON sagas (due)");
        Execute(connection, $"WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {Rows - 1}) INSERT INTO sagas "
            + "SELECT i, 0, i, x'' FROM n");
        using var update = connection.CreateCommand();
        update.CommandText = "UPDATE sagas SET version = version + 1, due = $due, content = $content WHERE id = $id AND version = $version";
        var (id, version, due) = (
            update.Parameters.Add("$id", SqliteType.Integer),
            update.Parameters.Add("$version", SqliteType.Integer),
            update.Parameters.Add("$due", SqliteType.Integer));
        update.Parameters.AddWithValue("$content", new byte[bytes]);
        var writes = 0;
        var startedAt = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(startedAt) < time)
        {
            using var transaction = connection.BeginTransaction();
            update.Transaction = transaction;
            for (var i = 0; i < group; i++, writes++)
            {
                (id.Value, version.Value, due.Value) = (writes % Rows, writes / Rows, writes);
                if (update.ExecuteNonQuery() != 1)
                {
                    throw new InvalidOperationException("A row had another version.");
                }
            }

            transaction.Commit();
        }

        return writes / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    /// <summary>Writes pipelined, with one write in flight for each row.</summary>
    public static async Task<double> RedisAsync(string address, bool isScript, int bytes, TimeSpan time)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(address);
        var database = connection.GetDatabase();
        var (content, writes) = (new byte[bytes], 0L);
        var startedAt = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Rows).Select(row => Task.Run(async () =>
        {
            var key = $"raw:{isScript}:{row}";
            await database.HashSetAsync(key, "version", 0);
            for (var version = 0; Stopwatch.GetElapsedTime(startedAt) < time; version++)
            {
                if (!isScript)
                {
                    await database.HashSetAsync(key, [new("version", version + 1), new("content", content)]);
                }
                else if ((int)await database.ScriptEvaluateAsync(CompareAndSwap, [key], [version, version + 1, content]) != 1)
                {
                    throw new InvalidOperationException("A key had another version.");
                }

                Interlocked.Increment(ref writes);
            }
        })));
        return writes / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
