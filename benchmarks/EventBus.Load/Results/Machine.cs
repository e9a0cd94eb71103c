using System.Globalization;
using System.Runtime;
using System.Runtime.InteropServices;

namespace EventBus.Load;

/// <summary>The machine of a run.</summary>
/// <param name="Date">The day, in UTC.</param>
/// <param name="Processor">The name of the processor.</param>
/// <param name="Cores">The number of cores that the process may use.</param>
/// <param name="MemoryGiB">The memory that it may use, in GiB.</param>
/// <param name="System">The operating system.</param>
/// <param name="Runtime">The version of .NET.</param>
/// <param name="GarbageCollector">Workstation or server.</param>
internal sealed record Machine(
    string Date,
    string Processor,
    int Cores,
    double MemoryGiB,
    string System,
    string Runtime,
    string GarbageCollector)
{
    public static Machine Current() => new(
        DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown",
        Environment.ProcessorCount,
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024.0 / 1024 / 1024, 1),
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        GCSettings.IsServerGC ? "server" : "workstation");

    public override string ToString() =>
        $"{Cores} cores ({Processor}), {MemoryGiB:0} GiB, {System}, {Runtime}, {GarbageCollector} garbage collector";
}
