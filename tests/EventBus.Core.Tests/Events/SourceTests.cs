using System.Text;
using EventBus.Transports;

namespace EventBus;

public sealed class SourceTests
{
    [Fact]
    public async Task Source_OfAReceivedEvent_IsSeenByEverySubscriptionAndRetry()
    {
        var (transport, seen) = (new InjectingTransport(), new Seen());
        var retried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseWire()", _ => transport)
            .StoreInMemory()
            .Retry(TimeSpan.Zero)
            .Subscribe<OrderPlaced>("mail", (_, context, _) =>
            {
                seen.Add($"{context.Source} {context.Attempt}");
                if (context.Attempt == 1)
                {
                    throw new InvalidOperationException("The handler fails on purpose.");
                }

                retried.SetResult();
                return Task.CompletedTask;
            }));

        await transport.DeliverAsync(
            (new EnvelopeAttributes { Id = "1", Name = "order.placed", Source = "/shop" }, Encoding.UTF8.GetBytes("""{"orderId":"1"}""")));
        await retried.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(["/shop 1", "/shop 2"], seen.Items);
    }

    [Fact]
    public async Task Source_OfAnEventInMemory_IsNull()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, context, _) =>
        {
            seen.Add(context.Source ?? "none");
            return Task.CompletedTask;
        }));

        await running.Bus.PublishAsync(new OrderPlaced("1"), TestContext.Current.CancellationToken);
        await running.WhenIdleAsync();

        Assert.Equal(["none"], seen.Items);
    }
}
