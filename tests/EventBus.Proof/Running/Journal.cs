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

/// <summary>The kinds of entries.</summary>
internal static class Kind
{
    /// <summary>The process takes events.</summary>
    public const char Ready = 'R';

    /// <summary>A handler was started.</summary>
    public const char Start = 'S';

    /// <summary>A handler is about to succeed.</summary>
    public const char End = 'E';

    /// <summary>A handler is about to throw.</summary>
    public const char Throw = 'X';

    /// <summary>A handler writes to the resource outside.</summary>
    public const char Effect = 'W';

    /// <summary>A store has marked an event as done.</summary>
    public const char Commit = 'C';

    /// <summary>An alert of a dead letter was sent.</summary>
    public const char Alert = 'A';

    /// <summary>What a handler published was handled.</summary>
    public const char FollowUp = 'F';

    /// <summary>The healthy subscription handled its event.</summary>
    public const char Tick = 'T';

    /// <summary>The process is about to kill itself at a named point.</summary>
    public const char Suicide = 'K';
}

/// <summary>One line of a journal.</summary>
/// <param name="At">When, on the machine's monotonic clock, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="Process">Which journal: each process has its own.</param>
/// <param name="Kind">What happened.</param>
/// <param name="A">The event's number, mostly.</param>
/// <param name="B">The second figure.</param>
/// <param name="C">The third figure.</param>
internal readonly record struct Entry(long At, int Process, char Kind, long A, long B = 0, long C = 0);
