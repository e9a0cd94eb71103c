using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace EventBus.Benchmarks;

/// <summary>
/// Runs every benchmark once, cold, in this process, to show that all of them run. The times are meaningless.
/// </summary>
internal static class ShortForm
{
    public const string Option = "--short";

    /// <summary>
    /// Writes no files, and runs all benchmarks in this process, because building one for each takes longer than the
    /// benchmark.
    /// </summary>
    public static IConfig Config => ManualConfig.CreateMinimumViable()
        .AddJob(Job.Dry.WithToolchain(InProcessEmitToolchain.Instance))
        .WithOptions(ConfigOptions.DisableLogFile);

    /// <summary>
    /// Returns the arguments for the switcher. Adds a filter, because the switcher prompts without one.
    /// </summary>
    /// <param name="args">The arguments of the program.</param>
    public static string[] Arguments(string[] args)
    {
        string[] rest = [.. args.Where(arg => arg != Option)];
        return rest.Length > 0 ? rest : ["--filter", "*"];
    }
}
