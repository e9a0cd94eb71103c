using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>One line of a journal.</summary>
/// <param name="At">The time on the machine's monotonic clock, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="Process">The index of the journal. Each process has its own journal.</param>
/// <param name="Kind">The kind of the entry.</param>
/// <param name="A">The first value, usually the number of the event.</param>
/// <param name="B">The second value.</param>
/// <param name="C">The third value.</param>
internal readonly record struct Entry(long At, int Process, char Kind, long A, long B = 0, long C = 0);
