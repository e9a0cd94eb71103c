using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the time from the publish call to the end of the handler, per event: one publisher that awaits each
/// publish, and one subscription with a singleton handler that counts.
/// </summary>
/// <remarks>
/// A batch ends when its last event was handled, so that the switch of threads is shared by the whole batch. Publisher
/// and handler run in parallel: the
/// slower of the two decides. A publisher waits while the queue is full, in both cases. The baseline is one bounded
/// channel as large as the queue.
/// </remarks>
[MemoryDiagnoser]
public class PublishToHandle
{
    private const int Events = 16_384;

    private RawChannels? channel;
    private RunningBus? bus;

    [GlobalSetup]
    public async Task StartAsync()
    {
        channel = new RawChannels(1);
        bus = await RunningBus.StartAsync(1);
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await channel!.StopAsync();
        await bus!.StopAsync();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Events)]
    public Task RawChannel() => channel!.MoveAsync(Events);

    [Benchmark(OperationsPerInvoke = Events)]
    public Task EventBus() => bus!.MoveAsync(Events);
}
