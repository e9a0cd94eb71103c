using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace EventBus;

/// <summary>Interrupts the statements of a connection every 10 ms, until it is disposed. Thread-safe.</summary>
/// <remarks>
/// An interruption before a statement begins has no effect
/// (<see href="https://www.sqlite.org/c3ref/interrupt.html"/>), so one interruption is not enough. The period is
/// measured with the clock of the machine, because the statements run in real time.
/// </remarks>
internal sealed class StatementInterrupter : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(10);

    private readonly ITimer timer;

    public StatementInterrupter(SqliteConnection connection)
    {
        // Null if the effect has closed the connection. The client keeps the handle valid during each call.
        var handle = connection.Handle;
        timer = TimeProvider.System.CreateTimer(_ => Interrupt(handle), null, TimeSpan.Zero, Period);
    }

    /// <summary>Ends the interruptions. None of them runs or follows when the task completes.</summary>
    public ValueTask DisposeAsync() => timer.DisposeAsync();

    private static void Interrupt(sqlite3? handle)
    {
        try
        {
            if (handle is not null)
            {
                raw.sqlite3_interrupt(handle);
            }
        }
        catch (ObjectDisposedException)
        {
            // The connection was closed in the meantime, and runs no statement.
        }
    }
}
