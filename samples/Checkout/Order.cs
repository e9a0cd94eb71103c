namespace Checkout;

/// <summary>An order of the shop. The total is the sum of the prices of its items.</summary>
public sealed record Order(string OrderId, string UserId, IReadOnlyList<CartItem> Items, decimal Total, DateTimeOffset PlacedAt)
{
    public OrderState State { get; init; }

    /// <summary>A number that grows by 1 with each change of the state. The first is 1.</summary>
    public long Version { get; init; } = 1;

    /// <summary>
    /// True if <c>order.placed</c> was published, false if it is still to be published, null if there is none.
    /// </summary>
    public bool? IsPublished { get; init; }

    /// <summary>The same for <c>order.cancelled</c>.</summary>
    public bool? IsCancellationPublished { get; init; }
}
