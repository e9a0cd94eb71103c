using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>What <c>.Ordered()</c> adds to the handling of one event: deal it to its lane, ask whether its key is blocked, hand it over to the lane's own loop.</summary>
/// <remarks>
/// Handling alone is measured: the events wait in the queue already. 1,024 keys in turn, 16 lanes, no key is blocked, and nothing is kept, so that nothing grows.
/// The baseline is the same subscription, whose events have the same keys, without it. Lanes run side by side: with more processors the time falls, the bytes do not.
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
