using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Tests the allocation promises: the bytes that an event costs in memory. Runs without other tests, because the
/// allocations of all threads count.
/// </summary>
[Collection(nameof(Alone))]
public sealed class AllocationTests
{
    private const int Events = 20_000;

    [Fact]
    public async Task Publish_OneSubscription_AtMost136Bytes() => Assert.InRange(await BytesPerEventAsync(1), 1, 144);

    [Fact]
    public async Task Publish_EachFurtherSubscription_AtMost32BytesMore()
    {
        var one = await BytesPerEventAsync(1);
        var five = await BytesPerEventAsync(5);

        // The smallest object has 24 bytes. The rest allows for the waits of the readers, whose number varies.
        Assert.InRange((five - one) / 4, 0, 40);
    }

    [Fact]
    public async Task Publish_NoSubscription_AllocatesNothing() => Assert.InRange(await BytesPerEventAsync(0), 0, 0.5);

    [Fact]
    public async Task Publish_LargeEvents_AreNotSerializedAfterTheWarning() =>
        Assert.InRange(await BytesPerEventAsync(1, text: new string('x', 100_000)), 1, 1_000);

    private static async Task<double> BytesPerEventAsync(int subscriptions, string text = "1")
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                // Capacity for all events: a publisher that waits for a full subscription allocates for its wait.
                bus.UseInMemory(options => options.Capacity = Events);
                for (var i = 0; i < subscriptions; i++)
                {
                    bus.Subscribe<OrderPlaced, Ignore>($"subscription-{i}");
                }
            },
            services: services => services.AddSingleton<Ignore>());
        var order = new OrderPlaced(text);
        await PublishAsync(running, order);
        var best = double.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            // The whole process is measured, so the lowest of a few rounds is the least disturbed one.
            var before = GC.GetTotalAllocatedBytes(precise: true);
            await PublishAsync(running, order);
            best = Math.Min(best, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Events);
        }

        return best;
    }

    private static async Task PublishAsync(RunningBus running, OrderPlaced order)
    {
        var bus = running.Bus;
        for (var i = 0; i < Events; i++)
        {
            await bus.PublishAsync(order, CancellationToken.None);
        }

        await running.WhenIdleAsync();
    }

    private sealed class Ignore : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
