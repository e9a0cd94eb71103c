using BenchmarkDotNet.Attributes;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the time from the publish call to the end of the last handler, per event, for several subscriptions: the
/// cost of each further one.
/// </summary>
/// <remarks>
/// As <see cref="PublishToHandle"/>, with one handler for each subscription. The baseline writes each event to as many
/// bounded channels, with one reader each.
/// </remarks>
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
