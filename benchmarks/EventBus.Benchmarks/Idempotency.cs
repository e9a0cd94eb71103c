using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the cost of <c>.Idempotent()</c> for one event with the store in memory: claim, renewal timer, and mark. No
/// event is delivered twice.
/// </summary>
/// <remarks>
/// Only handling is measured: the events are already queued. The baseline is the same subscription without it. The
/// store keeps the handled events, so each
/// iteration begins with a new bus: the figure is the mean over a store that grows from empty to 100,000 events, its
/// default limit, and its growth is included.
/// </remarks>
[MemoryDiagnoser]
public class Idempotency
{
    private Backlog? backlog;

    [IterationSetup(Target = nameof(Plain))]
    public void FillPlain() => backlog = Backlog.Fill(_ => { });

    [IterationSetup(Target = nameof(Idempotent))]
    public void FillIdempotent() => backlog = Backlog.Fill(s => s.Idempotent());

    [IterationCleanup]
    public void Stop() => backlog!.Stop();

    [Benchmark(Baseline = true, OperationsPerInvoke = Backlog.Events)]
    public Task Plain() => backlog!.DrainAsync();

    [Benchmark(OperationsPerInvoke = Backlog.Events)]
    public Task Idempotent() => backlog!.DrainAsync();
}
