using System.Data;
using System.Data.Common;

namespace EventBus;

/// <summary>
/// A prepared statement with its parameters. Every value is a parameter; user text is never part of the SQL.
/// </summary>
internal readonly struct SqlStatement(DbCommand command)
{
    public SqlStatement Set(string name, long? value) => Set(name, DbType.Int64, value);

    public SqlStatement Set(string name, string? value) => Set(name, DbType.String, value);

    public SqlStatement Set(string name, byte[]? value) => Set(name, DbType.Binary, value);

    public SqlStatement Set(string name, DateTimeOffset? value) => Set(name, value?.UtcTicks);

    /// <summary>Runs the statement; returns the number of changed rows.</summary>
    public async ValueTask<int> ExecuteAsync() => await command.ExecuteNonQueryAsync();

    /// <summary>Returns the integer in the first column of the first row; null if there is none.</summary>
    public async ValueTask<long?> NumberAsync() => await command.ExecuteScalarAsync() as long?;

    /// <summary>Returns the first row; the default value of the type if there is none.</summary>
    public async ValueTask<T?> FirstAsync<T>(Func<DbDataReader, T> read)
    {
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? read(reader) : default;
    }

    /// <summary>Returns all rows.</summary>
    public async ValueTask<List<T>> ListAsync<T>(Func<DbDataReader, T> read)
    {
        var rows = new List<T>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    private SqlStatement Set(string name, DbType type, object? value)
    {
        var position = command.Parameters.IndexOf(name);
        if (position < 0)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = name;
            parameter.DbType = type;
            position = command.Parameters.Add(parameter);
        }

        command.Parameters[position].Value = value ?? DBNull.Value;
        return this;
    }
}
