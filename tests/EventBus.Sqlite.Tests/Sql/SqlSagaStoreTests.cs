using System.Data.Common;
using EventBus.Stores;
using SQLitePCL;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed class SqlSagaStoreTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["bus.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Statements_OfEveryKind_UseAnIndex()
    {
        await (await OpenAsync(File)).DisposeAsync();
        using var connection = Connect(File);
        connection.Handle!.enable_sqlite3_next_stmt(true);
        await using var session = new SqlSession(connection, 1);
        var store = new SqlSagaStore(new OneSession(session));
        await store.CreateAsync(Saga("1"), Token);
        await store.FindAsync("1", Token);
        await store.SaveAsync(Saga("1"), Token);
        await store.ListDueAsync(["trip", "refund"], Now, 10, Token);
        await store.ListAlertsAsync(Now, 10, Token);
        await store.FindWaitingAsync("k", 10, Token);
        await store.SweepAsync(Now, 10, Token);
        foreach (var filter in new[]
        {
            new SagaFilter(),
            new SagaFilter { Saga = "trip" },
            new SagaFilter { Status = SagaStatus.Running },
            new SagaFilter { Saga = "trip", Status = SagaStatus.Running }
        })
        {
            await store.ListAsync(filter, Token);
            await store.ListAsync(filter with { Before = 5 }, Token);
            await store.CountAsync(filter, Token);
        }

        var plans = Plans(connection.Handle!);

        Assert.InRange(plans.Count, 20, 30);
        foreach (var (sql, plan) in plans)
        {
            Assert.False(plan.Any(line => line.Contains("SCAN eventbus", StringComparison.Ordinal)), $"{sql}\n{string.Join('\n', plan)}");

            // Only the first due entries of each name are sorted.
            Assert.True(sql.Contains("UNION ALL", StringComparison.Ordinal)
                || !plan.Any(line => line.Contains("TEMP B-TREE", StringComparison.Ordinal)), $"{sql}\n{string.Join('\n', plan)}");
        }
    }

    [Fact]
    public async Task Rows_ThatCannotBeRead_NameTheDefectAndKeepTheirContent()
    {
        string[] ids = ["good", "status", "started", "due", "content", "key"];
        await using (var stores = await OpenAsync(File))
        {
            foreach (var id in ids)
            {
                await stores.Sagas.CreateAsync(Saga(id), Token);
            }
        }

        using (var connection = Connect(File))
        {
            await RunAsync(connection, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(replace(replace(sql, "
                + "'STRICT', ''), 'NOT NULL', ''), 'CHECK (status BETWEEN 0 AND 5)', '') WHERE type = 'table'; PRAGMA writable_schema = "
                + "RESET");
            await RunAsync(connection, """
                UPDATE eventbus_sagas SET status = 77 WHERE id = 'status';
                UPDATE eventbus_sagas SET started_at = 'long ago' WHERE id = 'started';
                UPDATE eventbus_sagas SET due_at = -1 WHERE id = 'due';
                UPDATE eventbus_sagas SET content = NULL WHERE id = 'content';
                UPDATE eventbus_sagas SET wait_key = x'00' WHERE id = 'key'
                """);
        }

        await using var again = await OpenAsync(File);
        var due = (await again.Sagas.ListDueAsync(["trip"], Now, 100, Token)).Entries;

        Assert.Equal(ids.Order(), due.Select(entry => entry.Id).Order());
        Assert.Equal("good", Assert.Single(due, entry => entry.Defect is null).Id);
        Assert.All(due.Where(entry => entry.Defect is not null), entry => Assert.Equal((0, "trip"), (entry.Content.Length, entry.Saga)));
        foreach (var entry in due.Where(entry => entry.Defect is not null))
        {
            Assert.True(
                await again.Sagas.SaveAsync(entry with { Status = SagaStatus.NeedsAttention, DueAt = null, WaitKey = null }, Token));
        }

        Assert.Equal("good", Assert.Single((await again.Sagas.ListDueAsync(["trip"], Now, 100, Token)).Entries).Id);
        Assert.Equal((1, 5), (
            await again.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, Token),
            await again.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, Token)));
        foreach (var id in new[] { "status", "due", "key" })
        {
            Assert.Equal("{}"u8.ToArray(), (await again.Sagas.FindAsync(id, Token))!.Content.ToArray());
        }
    }

    private static List<(string Sql, List<string> Plan)> Plans(sqlite3 database)
    {
        var plans = new List<(string, List<string>)>();
        for (var statement = raw.sqlite3_next_stmt(database, null); statement is not null; statement = raw.sqlite3_next_stmt(
            database,
            statement))
        {
            var sql = raw.sqlite3_sql(statement).utf8_to_string();
            if (!sql.Contains("eventbus_saga", StringComparison.Ordinal) || sql.StartsWith("EXPLAIN", StringComparison.Ordinal))
            {
                continue;
            }

            Assert.Equal(raw.SQLITE_OK, raw.sqlite3_prepare_v2(database, $"EXPLAIN QUERY PLAN {sql}", out var explained));
            var plan = new List<string>();
            while (raw.sqlite3_step(explained) == raw.SQLITE_ROW)
            {
                plan.Add(raw.sqlite3_column_text(explained, 3).utf8_to_string());
            }

            raw.sqlite3_finalize(explained);
            plans.Add((sql, plan));
        }

        return plans;
    }

    /// <summary>Runs everything on one connection, which then knows all statements.</summary>
    private sealed class OneSession(SqlSession session) : SqlDatabase
    {
        public override SqlDialect Dialect { get; } = new SqliteDialect();

        public override string Prefix => "eventbus_";

        public override ValueTask<T> WriteAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken) =>
            step(session);

        public override ValueTask<T> ReadAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken) =>
            step(session);

        public override ValueTask RunEffectsAsync(
            SqlSession _,
            IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
            CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
