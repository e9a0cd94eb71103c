using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Consumer = BenchmarkDotNet.Engines.Consumer;

namespace EventBus.Benchmarks;

/// <summary>
/// Measures the cost of publishing one event without a transport: the lookup of its type, the envelope with id, time,
/// key and trace, the checks of size and options, and a deadline.
/// </summary>
/// <remarks>
/// The transport accepts every event and does nothing. <see cref="Written"/> is for transports that need bytes, as
/// brokers do: the body is serialized too. The baseline is the
/// minimum of a publisher without a library: one object with an id, a name, the time and the event. Its id is made in
/// advance: <see cref="Guid.CreateVersion7()"/>
/// reads random bytes of the system each time, which would take longer than everything else.
/// </remarks>
[MemoryDiagnoser]
public class Publishing
{
    private readonly Consumer consumer = new();
    private readonly PublishOptions keyed = new() { Key = "order-1" };
    private IHost? host;
    private IHost? writingHost;
    private IEventBus? bus;
    private IEventBus? writingBus;

    [GlobalSetup]
    public async Task StartAsync()
    {
        host = await Workload.StartAsync(
            bus => bus.UseTransport("new NoTransport()", _ => new NoTransport(serializes: false)).Publishes<OrderPlaced>());
        writingHost = await Workload.StartAsync(
            bus => bus.UseTransport("new NoTransport()", _ => new NoTransport(serializes: true)).Publishes<OrderPlaced>());
        bus = host.Services.GetRequiredService<IEventBus>();
        writingBus = writingHost.Services.GetRequiredService<IEventBus>();
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await Workload.StopAsync(host);
        await Workload.StopAsync(writingHost);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Workload.Events)]
    public void ByHand()
    {
        for (var i = 0; i < Workload.Events; i++)
        {
            consumer.Consume(new Message(Workload.Event(i).Id, "order.placed", DateTimeOffset.UtcNow, Workload.Event(i)));
        }
    }

    [Benchmark(OperationsPerInvoke = Workload.Events)]
    public Task Plain() => PublishAsync(bus!, null);

    [Benchmark(OperationsPerInvoke = Workload.Events)]
    public Task Keyed() => PublishAsync(bus!, keyed);

    [Benchmark(OperationsPerInvoke = Workload.Events)]
    public Task Written() => PublishAsync(writingBus!, null);

    private static async Task PublishAsync(IEventBus bus, PublishOptions? options)
    {
        for (var i = 0; i < Workload.Events; i++)
        {
            await bus.PublishAsync(Workload.Event(i), options);
        }
    }

    private sealed record Message(Guid Id, string Name, DateTimeOffset Time, object Event);
}
