using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Publish before success".</summary>
public sealed class PublishBeforeSuccessTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Orders orders = new();
    private readonly Seen parcels = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Event_PublishedThroughTheBus_LeavesAtEachAttemptOfAHandlerThatFails()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(bus => bus.Subscribe<OrderPlaced, ConfirmOrder>("confirm"), log);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await RetryAllAsync(running);

        Assert.Equal(["1", "1", "1", "1"], parcels.Items);
        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));
        Assert.Single(log.At(LogLevel.Warning), text => text.Contains(nameof(ConfirmOrder), StringComparison.Ordinal)
            && text.Contains("context.PublishAsync", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Event_PublishedThroughTheContext_LeavesOnceAndOnlyAfterSuccess()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(
            bus =>
            {
                #region right
                bus.Subscribe<OrderPlaced, ConfirmOrderFirst>("confirm");
                #endregion
            },
            log);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        Assert.Empty(parcels.Items);

        orders.IsUp = true;
        await RetryAllAsync(running);
        Assert.Equal(["1"], parcels.Items);
        Assert.DoesNotContain(log.At(LogLevel.Warning), text => text.Contains("IEventBus", StringComparison.Ordinal));
    }

    private async Task RetryAllAsync(RunningBus running)
    {
        await running.WhenIdleAsync();
        foreach (var delay in new[] { 5, 25, 125 })
        {
            await running.PassAsync(time, TimeSpan.FromSeconds(delay * 1.2));
        }
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, LogMemory log) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory().Subscribe<OrderConfirmed>("parcel", (order, _, _) =>
        {
            parcels.Add(order.OrderId);
            return Task.CompletedTask;
        })),
        time,
        services => services.AddSingleton(orders).AddLogging(logging => logging.AddProvider(log)));

    public sealed record OrderPlaced(string OrderId);

    public sealed record OrderConfirmed(string OrderId);

    #region wrong
    public sealed class ConfirmOrder(Orders orders, IEventBus bus) : IEventHandler<OrderPlaced>
    {
        public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
        {
            await bus.PublishAsync(new OrderConfirmed(order.OrderId), cancellationToken); // A parcel is packed.
            await orders.ConfirmAsync(order.OrderId, cancellationToken); // The database is away: the handler runs again.
        }
    }
    #endregion

    #region handler
    public sealed class ConfirmOrderFirst(Orders orders) : IEventHandler<OrderPlaced>
    {
        public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
        {
            await context.PublishAsync(new OrderConfirmed(order.OrderId), cancellationToken); // Sent after success.
            await orders.ConfirmAsync(order.OrderId, cancellationToken);
        }
    }
    #endregion

    /// <summary>Refuses to confirm orders until it is up.</summary>
    public sealed class Orders
    {
        public bool IsUp { get; set; }

        public Task ConfirmAsync(string orderId, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return IsUp ? Task.CompletedTask : throw new TimeoutException($"no answer for {orderId}");
        }
    }
}
