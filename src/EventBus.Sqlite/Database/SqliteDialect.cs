using System.Data.Common;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>
/// Provides the SQL dialect of SQLite. Tables are STRICT: SQLite refuses a value of the wrong type when it is written.
/// </summary>
internal sealed class SqliteDialect : SqlDialect
{
    public override string Number => "INTEGER";

    public override string Text => "TEXT";

    public override string Bytes => "BLOB";

    public override string RowNumber => "INTEGER PRIMARY KEY";

    public override string Table => "STRICT";

    public override string TableByKey => "STRICT, WITHOUT ROWID";

    public override bool IsDamage(DbException exception) => exception is SqliteException { SqliteErrorCode: raw.SQLITE_CORRUPT };

    public override IEnumerable<string> Count(string table, string counts, params string[] columns)
    {
        yield return $"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {Add()} END";
        yield return $"CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN {Remove()} END";
        yield return $"""
            CREATE TRIGGER {table}_changed AFTER UPDATE OF {string.Join(", ", columns)} ON {table}
            WHEN {string.Join(" OR ", columns.Select(column => $"OLD.{column} <> NEW.{column}"))}
            BEGIN {Remove()} {Add()} END
            """;

        string Add() => $"""
            INSERT INTO {counts} ({string.Join(", ", columns)}, n)
                VALUES ({string.Join(", ", columns.Select(column => $"NEW.{column}"))}, 1)
            ON CONFLICT ({string.Join(", ", columns)}) DO UPDATE SET n = n + 1;
            """;

        string Remove() => $"UPDATE {counts} SET n = n - 1 WHERE {Same()}; DELETE FROM {counts} WHERE {Same()} AND n <= 0;";

        string Same() => string.Join(" AND ", columns.Select(column => $"{column} = OLD.{column}"));
    }
}
