using Microsoft.Data.Sqlite;

namespace EventBus.Proof;

/// <summary>Accesses the SQLite file of the victims while they run.</summary>
internal static class Database
{
    /// <summary>
    /// Creates a table of the application, to which handlers add a row in the commit of their event. It has no unique
    /// constraint.
    /// </summary>
    public static async Task CreateEffectsAsync(string connection) =>
        await ExecuteAsync(connection, "CREATE TABLE effects (number INTEGER NOT NULL, process INTEGER NOT NULL)");

    /// <summary>Returns the number of effects of each event.</summary>
    public static async Task<Dictionary<long, int>> EffectsAsync(string connection)
    {
        await using var database = new SqliteConnection(connection);
        await database.OpenAsync();
        await using var command = database.CreateCommand();
        command.CommandText = "SELECT number, COUNT(*) FROM effects GROUP BY number";
        await using var reader = await command.ExecuteReaderAsync();
        var found = new Dictionary<long, int>();
        while (await reader.ReadAsync())
        {
            found.Add(reader.GetInt64(0), reader.GetInt32(1));
        }

        return found;
    }

    /// <summary>
    /// Holds the write lock for a while, as a backup or another application may. Uses BEGIN IMMEDIATE, with which each
    /// transaction of this client begins.
    /// </summary>
    public static async Task HoldAsync(string connection, TimeSpan time)
    {
        await using var database = new SqliteConnection(connection);
        await database.OpenAsync();
        await using var transaction = (SqliteTransaction)await database.BeginTransactionAsync();
        await RealTime.PassAsync(time);
    }

    private static async Task ExecuteAsync(string connection, string sql)
    {
        await using var database = new SqliteConnection(connection);
        await database.OpenAsync();
        await using var command = database.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
