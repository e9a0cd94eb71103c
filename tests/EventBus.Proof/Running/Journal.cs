using System.Diagnostics;
using System.Globalization;
using System.Text.Unicode;

namespace EventBus.Proof;

/// <summary>
/// The journal of one process: a line for each step, written through before the step continues, so that it survives
/// SIGKILL. Thread-safe.
/// </summary>
internal sealed class Journal
{
    private readonly int file;
    private readonly Lock gate = new();

    public Journal(string folder) =>
        file = Native.OpenForAppending(Path.Combine(folder, $"{Environment.ProcessId}-{Stopwatch.GetTimestamp()}{Journals.Extension}"));

    /// <param name="kind">What happened: a letter of <see cref="Kind"/>.</param>
    /// <param name="a">The event's number, mostly.</param>
    /// <param name="b">The second figure.</param>
    /// <param name="c">The third figure.</param>
    public void Write(char kind, long a = 0, long b = 0, long c = 0)
    {
        Span<byte> line = stackalloc byte[96];
        lock (gate)
        {
            // The time is taken within the lock: the lines of a file are in the order of their times. The clock is the
            // machine's, so that files can be merged.
            if (!Utf8.TryWrite(line, CultureInfo.InvariantCulture, $"{Stopwatch.GetTimestamp()} {kind} {a} {b} {c}\n", out var length))
            {
                throw new InvalidOperationException("A line of the journal is too long.");
            }

            Native.Append(file, line[..length]);
        }
    }
}
