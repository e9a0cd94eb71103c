using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace EventBus.Proof;

/// <summary>
/// The services that sagas call, all with one SQLite file. They execute nothing twice for one key, refuse a lower
/// fencing token, and record all calls. Thread-safe.
/// </summary>
internal sealed class ServiceLedger : IDisposable
{
    private readonly SqliteConnection connection;
    private readonly Lock gate = new();

    public ServiceLedger(string folder)
    {
        connection = new SqliteConnection($"Data Source={Path.Combine(folder, "services.db")};Pooling=False");
        connection.Open();

        // Data that a killed process has written survives without a sync to the disk.
        Execute("PRAGMA busy_timeout = 20000; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
        Execute("""
            CREATE TABLE IF NOT EXISTS calls (
                place INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, process INTEGER NOT NULL, mark INTEGER NOT NULL,
                saga INTEGER NOT NULL, step TEXT NOT NULL, undo INTEGER NOT NULL, key TEXT NOT NULL, fence INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS by_saga ON calls (saga, fence);
            CREATE INDEX IF NOT EXISTS by_key ON calls (key) WHERE mark = 1
            """);
    }

    /// <summary>
    /// Executes a call, or returns that it was already executed or that another process has taken over.
    /// </summary>
    public ServiceMark Act(ServiceCall call) => Write(call, """
        CASE WHEN $fence < (SELECT MAX(fence) FROM calls WHERE saga = $saga) THEN 3
             WHEN EXISTS (SELECT 1 FROM calls WHERE key = $key AND mark = 1) THEN 2
             ELSE 1 END
        """);

    public void Write(ServiceCall call) => Write(call, "$mark");

    /// <summary>Returns all calls in order.</summary>
    public List<ServiceCall> ReadAll()
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT mark, saga, step, undo, key, fence, process FROM calls ORDER BY place";
        using var reader = command.ExecuteReader();
        var calls = new List<ServiceCall>();
        while (reader.Read())
        {
            calls.Add(new ServiceCall(
                (ServiceMark)reader.GetInt32(0),
                reader.GetInt64(1),
                reader.GetString(2),
                reader.GetBoolean(3),
                reader.GetString(4),
                reader.GetInt64(5))
            { Process = reader.GetInt32(6) });
        }

        return calls;
    }

    public void Dispose() => connection.Dispose();

    private ServiceMark Write(ServiceCall call, string mark)
    {
        lock (gate)
        {
            using var command = connection.CreateCommand();
            command.CommandText = $"INSERT INTO calls (at, process, mark, saga, step, undo, key, fence) SELECT $at, $process, {mark}, "
                + "$saga, $step, $undo, $key, $fence RETURNING mark";
            command.Parameters.AddRange(
            [
                new("$at", Stopwatch.GetTimestamp()), new("$process", call.Process), new("$mark", (int)call.Mark), new("$saga", call.Saga),
                new("$step", call.Step), new("$undo", call.IsUndo), new("$key", call.Key), new SqliteParameter("$fence", call.Fence),
            ]);
            return (ServiceMark)Convert.ToInt32(command.ExecuteScalar());
        }
    }

    private void Execute(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
