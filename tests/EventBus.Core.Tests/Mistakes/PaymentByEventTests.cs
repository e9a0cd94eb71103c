using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Payment by event".</summary>
public sealed class PaymentByEventTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Payments payments = new();
    private readonly Seen receipts = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Card_ChargedByAHandlerAndDeclined_TheCustomerReadsThanks()
    {
        payments.Declines = true;
        await using var running = await StartAsync(bus => bus.Subscribe<OrderPlaced, ChargeCard>("charge"));

        var answer = await new CheckoutByEvent(running.Bus).PayAsync("1", 480m, Token);
        await running.WhenIdleAsync();
        foreach (var delay in new[] { 5, 25, 125 })
        {
            await running.PassAsync(time, TimeSpan.FromSeconds(delay * 1.2));
        }

        Assert.Equal("Thank you for your order.", answer);
        Assert.Equal((4, 0m), (payments.Attempts, payments.Charged));
        var letter = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Contains(nameof(CardDeclinedException), letter.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Card_ChargedInTheRequestAndDeclined_TheCustomerReadsItAndNoEventIsPublished()
    {
        payments.Declines = true;
        await using var running = await StartAsync(Receipts);

        var answer = await new CheckoutInTheRequest(payments, running.Bus).PayAsync("1", 480m, Token);
        await running.WhenIdleAsync();

        Assert.Equal("The card is declined. Please pay in another way.", answer);
        Assert.Equal((1, 0m), (payments.Attempts, payments.Charged));
        Assert.Empty(receipts.Items);
    }

    [Fact]
    public async Task Card_ChargedInTheRequest_HandlersFollow()
    {
        await using var running = await StartAsync(Receipts);

        var answer = await new CheckoutInTheRequest(payments, running.Bus).PayAsync("1", 480m, Token);
        await running.WhenIdleAsync();

        Assert.Equal(("Thank you for your order.", 480m), (answer, payments.Charged));
        Assert.Equal(["1"], receipts.Items);
    }

    private void Receipts(EventBusBuilder bus) => bus.Subscribe<OrderPlaced>("receipt", (order, _, _) =>
    {
        receipts.Add(order.OrderId);
        return Task.CompletedTask;
    });

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory()),
        time,
        services => services.AddSingleton(payments));

    public sealed record OrderPlaced(string OrderId, decimal Total);

    #region wrong
    public sealed class CheckoutByEvent(IEventBus bus)
    {
        public async Task<string> PayAsync(string orderId, decimal total, CancellationToken cancellationToken)
        {
            await bus.PublishAsync(new OrderPlaced(orderId, total), cancellationToken); // A handler charges the card.
            return "Thank you for your order.";
        }
    }

    public sealed class ChargeCard(Payments payments) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
            payments.ChargeAsync(order.OrderId, order.Total, cancellationToken);
    }
    #endregion

    #region right
    public sealed class CheckoutInTheRequest(Payments payments, IEventBus bus)
    {
        public async Task<string> PayAsync(string orderId, decimal total, CancellationToken cancellationToken)
        {
            try
            {
                await payments.ChargeAsync(orderId, total, cancellationToken);
            }
            catch (CardDeclinedException)
            {
                return "The card is declined. Please pay in another way."; // No event: nothing has happened.
            }

            // Without the request's token: the card is charged, and a closed browser must not stop this.
            await bus.PublishAsync(new OrderPlaced(orderId, total), CancellationToken.None);
            return "Thank you for your order.";
        }
    }
    #endregion

    public sealed class CardDeclinedException() : Exception("the card is declined");

    /// <summary>Charges cards, or declines all of them.</summary>
    public sealed class Payments
    {
        private int attempts;

        public bool Declines { get; set; }

        public decimal Charged { get; private set; }

        public int Attempts => Volatile.Read(ref attempts);

        public Task ChargeAsync(string orderId, decimal total, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref attempts);
            cancellationToken.ThrowIfCancellationRequested();
            if (Declines)
            {
                throw new CardDeclinedException();
            }

            Charged += total;
            return Task.CompletedTask;
        }
    }
}
