using System.Data;
using System.Data.Common;

namespace EventBus;

/// <summary>A prepared statement with its parameters. Every value is a parameter; no text of a user is ever part of the SQL.</summary>
internal readonly struct SqlStatement(DbCommand command)
{
    public SqlStatement Set(string name, long? value) => Set(name, DbType.Int64, value);

    public SqlStatement Set(string name, string? value) => Set(name, DbType.String, value);

    public SqlStatement Set(string name, byte[]? value) => Set(name, DbType.Binary, value);

    public SqlStatement Set(string name, DateTimeOffset? value) => Set(name, value?.UtcTicks);

    /// <summary>Runs it; returns how many rows it changed.</summary>
    public async ValueTask<int> ExecuteAsync() => await command.ExecuteNonQueryAsync();

    /// <summary>The number in the first column of the first row; null for none.</summary>
    public async ValueTask<long?> NumberAsync() => await command.ExecuteScalarAsync() as long?;

    /// <summary>The first row; default for none.</summary>
    public async ValueTask<T?> FirstAsync<T>(Func<DbDataReader, T> read)
    {
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? read(reader) : default;
    }

    /// <summary>All rows.</summary>
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
            (parameter.ParameterName, parameter.DbType) = (name, type);
            position = command.Parameters.Add(parameter);
        }

        command.Parameters[position].Value = value ?? DBNull.Value;
        return this;
    }
}
