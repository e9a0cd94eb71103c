using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace EventBus.Benchmarks;

/// <summary>Runs every benchmark once, cold, in this process: it shows that they all run. Its times mean nothing.</summary>
internal static class ShortForm
{
    public const string Option = "--short";

    /// <summary>No files, and no process of its own for each benchmark, whose making takes longer than the benchmark.</summary>
    public static IConfig Config => ManualConfig.CreateMinimumViable()
        .AddJob(Job.Dry.WithToolchain(InProcessEmitToolchain.Instance))
        .WithOptions(ConfigOptions.DisableLogFile);

    /// <summary>What is left for the switcher. Without a filter it would ask which benchmarks to run.</summary>
    /// <param name="args">The arguments of the program.</param>
    public static string[] Arguments(string[] args)
    {
        string[] rest = [.. args.Where(arg => arg != Option)];
        return rest.Length > 0 ? rest : ["--filter", "*"];
    }
}
