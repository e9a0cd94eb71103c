using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>One line of a journal.</summary>
/// <param name="At">When, on the machine's monotonic clock, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="Process">Which journal: each process has its own.</param>
/// <param name="Kind">What happened.</param>
/// <param name="A">The event's number, mostly.</param>
/// <param name="B">The second figure.</param>
/// <param name="C">The third figure.</param>
internal readonly record struct Entry(long At, int Process, char Kind, long A, long B = 0, long C = 0);
