using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace EventBus.Load;

/// <summary>
/// Samples a worker with <c>perf</c> (Debian: linux-perf) while it works. Without it, the processor time of its threads
/// is compared by their names.
/// </summary>
internal static partial class Profiler
{
    private const int Rounds = 8;
    private const int Shown = 12;

    /// <summary>Runs the work for some rounds, and returns where the time was spent.</summary>
    public static async Task<Profile> RunAsync(WorkerProcess worker, Series series, Work work)
    {
        using var folder = new ScratchFolder();
        var data = Path.Combine(folder.Path, "perf.data");
        using var perf = Start("record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data, "-p", $"{worker.Id}");
        var before = Threads(worker.Id);
        var cpu = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            cpu.Add((await worker.RunAsync(work)).Cpu);
        }

        var threads = Difference(before, Threads(worker.Id));
        var (areas, methods) = perf is null ? ([], []) : await ReadAsync(perf, data);
        File.Delete($"/tmp/perf-{worker.Id}.map");
        var isSampled = areas.Count > 0;
        return new Profile(
            series.Arena,
            series.Mode,
            series.Contender,
            Statistics.Median(cpu),
            isSampled ? "samples of perf" : "threads",
            isSampled ? areas : threads,
            methods);
    }

    private static Process? Start(params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("perf", arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // It is not installed.
            return null;
        }
    }

    private static async Task<(List<ProfileShare> Areas, List<ProfileShare> Methods)> ReadAsync(Process recording, string data)
    {
        using (var interrupt = Process.Start("kill", ["-INT", recording.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await interrupt.WaitForExitAsync();
        }

        await recording.WaitForExitAsync();
        if (!File.Exists(data) || Start("script", "-i", data, "-F", "ip,sym,dso") is not { } reading)
        {
            return ([], []);
        }

        using (reading)
        {
            var errors = reading.StandardError.ReadToEndAsync();
            var (areas, methods, samples) = (new Dictionary<string, int>(), new Dictionary<string, int>(), 0);
            while (await reading.StandardOutput.ReadLineAsync() is { } line)
            {
                if (SampleLine().Match(line) is { Success: true } sample)
                {
                    samples++;
                    var (symbol, file) = (sample.Groups["symbol"].Value, Path.GetFileName(sample.Groups["file"].Value));
                    var managed = ManagedMethod().Match(symbol);
                    var area = managed.Success ? managed.Groups["assembly"].Value : AreaOf(file);
                    areas[area] = areas.GetValueOrDefault(area) + 1;
                    var method = managed.Success ? $"{area}: {managed.Groups["method"].Value}" : $"{area}: {symbol}";
                    methods[method] = methods.GetValueOrDefault(method) + 1;
                }
            }

            _ = await errors;
            return (Shares(areas, samples), Shares(methods, samples));
        }
    }

    private static List<ProfileShare> Shares(Dictionary<string, int> counts, int samples) =>
        [.. counts.OrderByDescending(each => each.Value)
            .Take(Shown)
            .Select(each => new ProfileShare(each.Key, each.Value / (double)samples))];

    private static string AreaOf(string file) =>
        file.StartsWith("libclrjit", StringComparison.Ordinal) ? "the compiler"
        : file.StartsWith("libcoreclr", StringComparison.Ordinal) || file.StartsWith("libclrgc", StringComparison.Ordinal)
            ? "the runtime and its garbage collector"
        : file.Contains("rdkafka", StringComparison.Ordinal) ? "librdkafka"
        : file.StartsWith("lib", StringComparison.Ordinal) || file.StartsWith("ld-", StringComparison.Ordinal) ? "system libraries"
        : file.EndsWith(".dll", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(file)
        : file.Contains("kernel", StringComparison.Ordinal) ? "the kernel"
        : "other code";

    /// <summary>Returns the processor time of each name of threads, in ticks of the kernel.</summary>
    private static Dictionary<string, long> Threads(int process)
    {
        var ticks = new Dictionary<string, long>();
        foreach (var thread in Directory.GetDirectories($"/proc/{process}/task"))
        {
            try
            {
                var (name, stat) = (File.ReadAllText($"{thread}/comm").Trim(), File.ReadAllText($"{thread}/stat"));

                // After the name in brackets: the state, and the times as 12th and 13th field (proc(5)).
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                ticks[name] = ticks.GetValueOrDefault(name)
                    + long.Parse(fields[11], CultureInfo.InvariantCulture)
                    + long.Parse(fields[12], CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // The thread has ended.
            }
        }

        return ticks;
    }

    private static List<ProfileShare> Difference(Dictionary<string, long> before, Dictionary<string, long> after)
    {
        var used = after.ToDictionary(each => each.Key, each => Math.Max(0, each.Value - before.GetValueOrDefault(each.Key)));
        var sum = Math.Max(1, used.Values.Sum());
        return [.. used.Where(each => each.Value > 0)
            .OrderByDescending(each => each.Value)
            .Select(each => new ProfileShare($"threads named {each.Key}", each.Value / (double)sum))];
    }

    [GeneratedRegex(@"^\s*[0-9a-f]+\s+(?<symbol>.*) \((?<file>[^()]*)( \(deleted\))?\)\s*$", RegexOptions.ExplicitCapture)]
    private static partial Regex SampleLine();

    [GeneratedRegex(@"\[(?<assembly>[\w.]+)\] (?<method>[^(\[]+)", RegexOptions.ExplicitCapture)]
    private static partial Regex ManagedMethod();
}
