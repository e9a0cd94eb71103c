using System.Diagnostics;

namespace EventBus.Load;

/// <summary>One run: how long it took, and what it cost this process.</summary>
internal readonly record struct Sample(double EventsPerSecond, double BytesPerEvent, double CpuMicrosecondsPerEvent)
{
    public static async Task<Sample> OfAsync(int events, Func<Task> run)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var busy = Environment.CpuUsage.TotalTime;
        var startedAt = Stopwatch.GetTimestamp();
        await run();
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        return new Sample(events / elapsed.TotalSeconds, (GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)events, (Environment.CpuUsage.TotalTime - busy).TotalMicroseconds / events);
    }
}

internal static class Figures
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    public static double Percentile(double[] sorted, double part) => sorted[(int)Math.Min(sorted.Length - 1, Math.Ceiling(sorted.Length * part))];

    /// <summary>Prints whether a bar was met, and passes it on.</summary>
    public static bool Bar(bool met, string text)
    {
        Console.WriteLine($"  {(met ? "met   " : "MISSED")} {text}");
        return met;
    }
}
