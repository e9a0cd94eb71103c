using System.Diagnostics;
using System.Globalization;
using System.Text.Unicode;

namespace EventBus.Proof;

/// <summary>
/// The journal of one process. Each entry is written to the file before the next step, so that it survives SIGKILL.
/// Thread-safe.
/// </summary>
internal sealed class Journal
{
    private readonly int file;
    private readonly Lock gate = new();

    public Journal(string folder) =>
        file = Native.OpenForAppending(Path.Combine(folder, $"{Environment.ProcessId}-{Stopwatch.GetTimestamp()}{Journals.Extension}"));

    /// <param name="kind">A letter of <see cref="Kind"/>.</param>
    /// <param name="a">The first value, usually the number of the event.</param>
    /// <param name="b">The second value.</param>
    /// <param name="c">The third value.</param>
    public void Write(char kind, long a = 0, long b = 0, long c = 0)
    {
        Span<byte> line = stackalloc byte[96];
        lock (gate)
        {
            // The time is read within the lock, so that the lines of a file are in the order of their times. The clock
            // is shared by all processes of the machine, so that files can be merged.
            if (!Utf8.TryWrite(line, CultureInfo.InvariantCulture, $"{Stopwatch.GetTimestamp()} {kind} {a} {b} {c}\n", out var length))
            {
                throw new InvalidOperationException("A line of the journal is too long.");
            }

            Native.Append(file, line[..length]);
        }
    }
}
