using System.Data.Common;

namespace EventBus.Sqlite.Tests;

/// <summary>Effects of handlers in the transaction of their events: rows in a table of the application.</summary>
internal static class Effects
{
    public static async Task CreateTableAsync(string file)
    {
        using var connection = TestStores.Connect(file);
        await TestStores.RunAsync(connection, "CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)");
    }

    public static async Task InsertAsync(DbTransaction transaction, string? id, CancellationToken cancellationToken)
    {
        await using var command = transaction.Connection!.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "INSERT INTO effects (id) VALUES (@id)";
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = ("@id", (object?)id ?? DBNull.Value);
        command.Parameters.Add(parameter);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public static async Task<long> CountAsync(string file, string? id = null)
    {
        using var connection = TestStores.Connect(file);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM effects WHERE id = coalesce(@id, id)";
        command.Parameters.AddWithValue("@id", (object?)id ?? DBNull.Value);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
