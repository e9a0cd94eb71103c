namespace EventBus.Load;

/// <summary>
/// Repeats rounds until the compiler has replaced its first code, and the processor time of an event no longer falls.
/// The processor time decides, because other programs disturb it less than the throughput.
/// </summary>
/// <param name="process">The contender.</param>
/// <param name="seconds">The time of a round.</param>
/// <param name="most">The maximum number of events of a round.</param>
internal sealed class WarmUpRun(WorkerProcess process, double seconds, int most)
{
    private const int Compared = 5;
    private const int MostRounds = 60;

    // A median of five that is lower than the one before by less than this does not fall.
    private const double Still = 0.97;

    // The share of the compiler in the processor time of the last rounds that is too small to matter.
    private const double NoCompiling = 0.01;

    /// <summary>Runs the rounds, and returns the work of a measured round.</summary>
    public async Task<(Work Work, WarmUp? WarmUp)> RunAsync(Work work)
    {
        var (cpu, compiling) = (new List<double>(), new List<double>());
        while (cpu.Count < MostRounds
            && (cpu.Count < 2 * Compared
                || Median(cpu, 1) < Median(cpu, 2) * Still
                || compiling.TakeLast(Compared).Sum() > cpu.TakeLast(Compared).Sum() * NoCompiling))
        {
            var sample = await process.RunAsync(work);
            if (sample.Problem is not null)
            {
                return (work, null);
            }

            cpu.Add(sample.Cpu);
            compiling.Add(sample.Compiling);
            work = work with { Events = (int)Math.Clamp(sample.EventsPerSecond * seconds, Math.Max(10, work.Events / 2.0), most) };
        }

        return (work, new WarmUp(cpu.Count, cpu[0], Median(cpu, 1)));
    }

    /// <summary>Returns the median of the last rounds (1), or of those before (2).</summary>
    private static double Median(List<double> cpu, int fromEnd) =>
        Statistics.Median(cpu.Skip(cpu.Count - (fromEnd * Compared)).Take(Compared));
}
