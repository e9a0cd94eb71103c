using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus;

namespace Checkout;

/// <summary>
/// Publishes <c>order.placed</c> for every order that is paid and not marked as published, and <c>order.cancelled</c>
/// in the same way: in the request, and if that fails, when the broker is back or the shop is started again. The bus
/// does not commit an event together with the order, so the order's row notes whether it is published.
/// </summary>
public sealed class OrderRelay(OrderBook orders, PaymentService payments, IEventBus bus, TimeProvider time, ILogger<OrderRelay> log)
    : BackgroundService
{
    private static readonly TimeSpan RequestDeadline = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Longer than a request takes.
    private static readonly TimeSpan PendingLimit = TimeSpan.FromMinutes(1);

    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(1);
    private readonly ConcurrentDictionary<string, bool> running = new();
    private readonly DateTimeOffset started = time.GetUtcNow();

    /// <summary>
    /// Publishes the event of an order, within a short deadline because a customer waits. If that fails, the event
    /// follows.
    /// </summary>
    /// <returns>True if the event is published.</returns>
    public async Task<bool> PublishAsync(string orderId)
    {
        try
        {
            if (await PublishAsync(orderId, RequestDeadline, CancellationToken.None))
            {
                return true;
            }
        }
        catch (Exception exception)
        {
            // Also an error of the database: the order stands, and an error as the answer would be wrong.
            log.LogWarning("The event of order {OrderId} follows: {Reason}", orderId, exception.Message);
        }

        wake.Writer.TryWrite(true);
        return false;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await SettlePendingAsync(stoppingToken);
                if (await PublishPaidAsync(stoppingToken))
                {
                    await WakeAsync(stoppingToken);
                }
                else
                {
                    // A request was publishing an event of an order, which may have another one by now.
                    await Task.Delay(Pause, time, stoppingToken);
                }
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                log.LogWarning("The events of paid orders wait, and are tried again in {Pause}: {Reason}", Pause, exception.Message);
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    #region pending
    // Orders that an earlier process left, or a request that failed: the card was charged or not, which the provider
    // knows. The provider closes the key of one that it did not charge, so that it is not charged later.
    private async Task SettlePendingAsync(CancellationToken cancellationToken)
    {
        var longAgo = time.GetUtcNow() - PendingLimit;
        foreach (var order in await orders.PendingAsync(longAgo > started ? longAgo : started, cancellationToken))
        {
            if (await payments.CloseAsync(order, cancellationToken))
            {
                await orders.ConfirmAsync(order.OrderId, hasEvent: true, cancellationToken);
            }
            else
            {
                await orders.DropAsync(order.OrderId, cancellationToken);
            }
        }
    }
    #endregion

    #region paid
    // In the order of placing. While the broker is away, a publish waits for it until its deadline, and then this ends.
    private async Task<bool> PublishPaidAsync(CancellationToken cancellationToken)
    {
        var isComplete = true;
        foreach (var order in await orders.UnpublishedAsync(cancellationToken))
        {
            try
            {
                isComplete &= await PublishAsync(order.OrderId, null, cancellationToken);
            }
            catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected)
            {
                // It will be refused again, and must not hold back the others.
                log.LogCritical("The event of order {OrderId} is refused: {Reason}", order.OrderId, exception.Message);
            }
        }

        return isComplete;
    }

    private async Task<bool> PublishAsync(string orderId, TimeSpan? deadline, CancellationToken cancellationToken)
    {
        // One at a time for each order: a request and this service, or two requests with one key.
        if (!running.TryAdd(orderId, true))
        {
            return false;
        }

        try
        {
            var order = await orders.GetAsync(orderId, cancellationToken);
            if (order.IsPublished == false)
            {
                var placed = new OrderPlaced(order.OrderId, order.UserId, order.Total, order.PlacedAt);
                var options = new PublishOptions { EventId = EventIdOf("placed", order), Timeout = deadline };
                await bus.PublishAsync(placed, options, cancellationToken);

                // If the process ends before this commit, or the publish was in doubt, the event is published again:
                // with the same id and the same bytes, so that idempotent subscriptions handle it once.
                await orders.MarkPublishedAsync(orderId, CancellationToken.None);
            }

            if (order.IsCancellationPublished == false)
            {
                var options = new PublishOptions { EventId = EventIdOf("cancelled", order), Timeout = deadline };
                await bus.PublishAsync(new OrderCancelled(orderId), options, cancellationToken);
                await orders.MarkCancellationPublishedAsync(orderId, CancellationToken.None);
            }

            return true;
        }
        finally
        {
            running.TryRemove(orderId, out _);
        }
    }

    // The time keeps the ids apart if the file is deleted and the numbers begin again.
    private static string EventIdOf(string what, Order order) => $"order-{what}-{order.OrderId}-{order.PlacedAt.UtcTicks}";
    #endregion

    /// <summary>
    /// Waits until a request could not publish its event, at most until pending orders are looked for again.
    /// </summary>
    private async Task WakeAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(PendingLimit);
        try
        {
            await wake.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The limit.
        }
    }
}
