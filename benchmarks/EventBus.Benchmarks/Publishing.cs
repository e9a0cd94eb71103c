using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Consumer = BenchmarkDotNet.Engines.Consumer;

namespace EventBus.Benchmarks;

/// <summary>What publishing one event costs without a transport: finding what is known of its type, its envelope with id, time, key and trace, the checks of its size and options, and a deadline.</summary>
/// <remarks>
/// The transport accepts everything and does nothing. <see cref="Written"/> is for one that needs bytes, as brokers do: the body is written too. The baseline is the
/// least that a publisher without a library would make: one object with an id, a name, the time and the event. Its id is made beforehand: <see cref="Guid.CreateVersion7()"/>
/// asks the system for randomness each time, which would take longer than all else.
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
        host = await Workload.StartAsync(bus => bus.UseTransport("new NoTransport()", _ => new NoTransport(serializes: false)).Publishes<OrderPlaced>());
        writingHost = await Workload.StartAsync(bus => bus.UseTransport("new NoTransport()", _ => new NoTransport(serializes: true)).Publishes<OrderPlaced>());
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
