using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>From the publish call to the end of the last handler, per event, which several subscriptions handle: what each further one costs.</summary>
/// <remarks>As <see cref="PublishToHandle"/>, with a handler of its own for each subscription. The baseline writes each event to as many bounded channels, each with a reader of its own.</remarks>
[MemoryDiagnoser]
public class Dispatch
{
    private const int Events = 4_096;

    private RawChannels? channels;
    private RunningBus? bus;

    [Params(1, 5, 20)]
    public int Subscriptions { get; set; }

    [GlobalSetup]
    public async Task StartAsync()
    {
        channels = new RawChannels(Subscriptions);
        bus = await RunningBus.StartAsync(Subscriptions);
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await channels!.StopAsync();
        await bus!.StopAsync();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Events)]
    public Task RawChannels() => channels!.MoveAsync(Events);

    [Benchmark(OperationsPerInvoke = Events)]
    public Task EventBus() => bus!.MoveAsync(Events);
}
