namespace EventBus;

public sealed class EventNameTests
{
    [Theory]
    [InlineData(typeof(OrderPlaced), "order.placed")]
    [InlineData(typeof(OrderLineItemAdded), "order-line-item.added")]
    [InlineData(typeof(HTTPRequestFailed), "http-request.failed")]
    [InlineData(typeof(CartAbandonedEvent), "cart.abandoned")]
    [InlineData(typeof(DomainEvent), "domain.event")]
    public void FromType_PascalWords_LastWordIsTheAction(Type type, string expected) =>
        Assert.Equal(expected, EventNameRules.FromType(type));

    [Theory]
    [InlineData(typeof(Placed))]
    [InlineData(typeof(List<OrderPlaced>))]
    [InlineData(typeof(OrderPlaced[]))]
    public void FromType_TooFewWordsOrGeneric_HasNoName(Type type) => Assert.Null(EventNameRules.FromType(type));

    [Theory]
    [InlineData("order.placed")]
    [InlineData("saga.step.completed")]
    [InlineData("order-line-item.added")]
    [InlineData("a1.b2")]
    public void Problem_GoodName_IsNone(string name) => Assert.Null(EventNameRules.Problem(name));

    [Theory]
    [InlineData("", "0 characters")]
    [InlineData("order", "only one word")]
    [InlineData("Order.placed", "'Order'")]
    [InlineData("order..placed", "''")]
    [InlineData("order.-placed", "'-placed'")]
    [InlineData("order.*", "'*'")]
    [InlineData("order placed.now", "'order placed'")]
    public void Problem_BadName_NamesTheFault(string name, string expected) =>
        Assert.Contains(expected, EventNameRules.Problem(name), StringComparison.Ordinal);

    [Fact]
    public void Problem_TooLong_NamesTheLimit() =>
        Assert.Contains("200", EventNameRules.Problem($"a.{new string('b', 200)}"), StringComparison.Ordinal);

    [Theory]
    [InlineData(typeof(SendReceipt), typeof(OrderPlaced), "send-receipt.order-placed")]
    [InlineData(typeof(SendReceiptHandler), typeof(OrderPlaced), "send-receipt.order-placed")]
    [InlineData(typeof(CartConsumer), typeof(CartAbandonedEvent), "cart.cart-abandoned")]
    [InlineData(typeof(Handler), typeof(DomainEvent), "handler.domain")]
    public void Subscription_ByConvention_OmitsCommonSuffixes(Type handler, Type handled, string expected) =>
        Assert.Equal(expected, EventNameRules.SubscriptionName(handler, handled));

    private sealed class SendReceipt;

    private sealed class SendReceiptHandler;

    private sealed class CartConsumer;

    private sealed class Handler;

    private sealed record OrderLineItemAdded;

    private sealed record HTTPRequestFailed;

    private sealed record CartAbandonedEvent;

    private sealed record DomainEvent;

    private sealed record Placed;
}
