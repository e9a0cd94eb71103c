using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Sqlite.Tests;

/// <summary>The SQLite stores under test: a file for each run, in a folder that is deleted after the tests.</summary>
public sealed class SqliteStoreBackend : StoreBackend, IDisposable
{
    private readonly TestFolder folder = new();
    private readonly ConcurrentDictionary<string, SqliteConnection> locks = new();

    public override string Name => "SQLite";

    public override bool CanCorrupt => true;

    public override bool CanBreak => true;

    public override BusStores CreateStores(string isolation)
    {
        // While the store is down, each write waits for this time.
        var options = new SqliteStoreOptions { BusyTimeout = TimeSpan.FromSeconds(2) };
        return SqliteBuilderExtensions.Stores(new SqliteFile($"Data Source={FileOf(isolation)}", options), options, NullLogger.Instance);
    }

    public override async Task CorruptAsync(string isolation, string id, CancellationToken cancellationToken)
    {
        await using var connection = TestStores.Connect(FileOf(isolation));
        await using var command = connection.CreateCommand();
        command.CommandText = "UPDATE eventbus_failure_contents SET attributes = x'7bff00' WHERE seq = (SELECT seq FROM "
            + "eventbus_failures WHERE subscription || '~' || event_id = @id)";
        command.Parameters.AddWithValue("@id", id);
        Assert.Equal(1, await command.ExecuteNonQueryAsync(cancellationToken));
    }

    public override async Task CorruptSagaAsync(string isolation, string id, CancellationToken cancellationToken)
    {
        await using var connection = TestStores.Connect(FileOf(isolation));
        await using var command = connection.CreateCommand();
        command.CommandText = "UPDATE eventbus_sagas SET changed_at = -1 WHERE id = @id";
        command.Parameters.AddWithValue("@id", id);
        Assert.Equal(1, await command.ExecuteNonQueryAsync(cancellationToken));
    }

    /// <summary>Holds the only write lock, like another program that does not release it.</summary>
    public override async Task BreakAsync(string isolation, CancellationToken cancellationToken)
    {
        var connection = TestStores.Connect(FileOf(isolation));
        locks[isolation] = connection;
        await using var command = connection.CreateCommand();
        command.CommandText = "BEGIN IMMEDIATE";
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public override async Task RepairAsync(string isolation, CancellationToken cancellationToken)
    {
        if (locks.TryRemove(isolation, out var connection))
        {
            await connection.DisposeAsync();
        }
    }

    public void Dispose()
    {
        foreach (var connection in locks.Values)
        {
            connection.Dispose();
        }

        folder.Dispose();
    }

    private string FileOf(string isolation) => folder[$"{isolation}.db"];
}
