namespace EventBus.Load;

/// <summary>
/// Repeats rounds until the processor time of an event no longer falls: the compiler has replaced its first code, and
/// the buffers have their size. The processor time decides, because other programs disturb it less than the throughput.
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

    /// <summary>Runs the rounds, and returns the work of a measured round.</summary>
    public async Task<(Work Work, WarmUp? WarmUp)> RunAsync(Work work)
    {
        var cpu = new List<double>();
        while (cpu.Count < MostRounds && (cpu.Count < 2 * Compared || Median(cpu, 1) < Median(cpu, 2) * Still))
        {
            var sample = await process.RunAsync(work);
            if (sample.Problem is not null)
            {
                return (work, null);
            }

            cpu.Add(sample.Cpu);
            work = work with { Events = (int)Math.Clamp(sample.EventsPerSecond * seconds, Math.Max(10, work.Events / 2.0), most) };
        }

        return (work, new WarmUp(cpu.Count, cpu[0], Median(cpu, 1)));
    }

    /// <summary>Returns the median of the last rounds (1), or of those before (2).</summary>
    private static double Median(List<double> cpu, int fromEnd) =>
        Statistics.Median(cpu.Skip(cpu.Count - (fromEnd * Compared)).Take(Compared));
}
