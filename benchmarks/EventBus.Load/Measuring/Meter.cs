using System.Diagnostics;
using System.Globalization;
using System.Runtime;

namespace EventBus.Load;

/// <summary>Measures the cost of a section of work for this process.</summary>
internal sealed class Meter
{
    private readonly long startedAt;
    private readonly long allocated;
    private readonly TimeSpan busy;
    private readonly TimeSpan compiling;

    private Meter()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        // Resets the peak resident size (proc(5), clear_refs).
        File.WriteAllText("/proc/self/clear_refs", "5");
        allocated = GC.GetTotalAllocatedBytes(precise: true);
        compiling = JitInfo.GetCompilationTime();
        busy = Environment.CpuUsage.TotalTime;
        startedAt = Stopwatch.GetTimestamp();
    }

    public static Meter Start() => new();

    /// <param name="events">The number of events.</param>
    /// <param name="delays">Their latencies in ticks of the stopwatch, in any order; empty for none.</param>
    public Sample Stop(int events, long[] delays)
    {
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        var cpu = (Environment.CpuUsage.TotalTime - busy).TotalMicroseconds / events;
        var bytes = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)events;
        Array.Sort(delays);
        return new Sample(events / elapsed.TotalSeconds, At(0.5), At(0.99), At(0.999), cpu, bytes, PeakMiB())
        {
            Compiling = (JitInfo.GetCompilationTime() - compiling).TotalMicroseconds / events,
        };

        double At(double part) => delays.Length == 0 ? 0 : Statistics.Percentile(delays, part) * 1e6 / Stopwatch.Frequency;
    }

    private static double PeakMiB()
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return double.Parse(line["VmHWM:".Length..^"kB".Length], CultureInfo.InvariantCulture) / 1024;
    }
}
