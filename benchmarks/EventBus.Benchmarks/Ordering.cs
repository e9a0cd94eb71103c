using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the cost of <c>.Ordered()</c> for one event: choose the partition of its key, check whether the key is
/// blocked, and pass the event to the loop of the partition.
/// </summary>
/// <remarks>
/// Only handling is measured: the events are already queued. 1,024 keys in turn, 16 partitions; no key is blocked, and
/// nothing is stored, so nothing grows.
/// The baseline is the same subscription with the same keys, without it. Partitions run in parallel: with more
/// processors the time decreases, the bytes do not.
/// </remarks>
[MemoryDiagnoser]
public class Ordering
{
    private Backlog? backlog;

    [IterationSetup(Target = nameof(Plain))]
    public void FillPlain() => backlog = Backlog.Fill(_ => { });

    [IterationSetup(Target = nameof(Ordered))]
    public void FillOrdered() => backlog = Backlog.Fill(s => s.Ordered());

    [IterationCleanup]
    public void Stop() => backlog!.Stop();

    [Benchmark(Baseline = true, OperationsPerInvoke = Backlog.Events)]
    public Task Plain() => backlog!.DrainAsync();

    [Benchmark(OperationsPerInvoke = Backlog.Events)]
    public Task Ordered() => backlog!.DrainAsync();
}
