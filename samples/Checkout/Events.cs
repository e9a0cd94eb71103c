namespace Checkout;

/// <summary>An order is placed and paid for. On the wire its name is <c>order.placed</c>.</summary>
public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);
