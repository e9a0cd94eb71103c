namespace Checkout;

/// <summary>An order is placed and paid for. On the wire its name is <c>order.placed</c>.</summary>
public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);

/// <summary>The bank has the money: <c>order.paid</c>.</summary>
public sealed record OrderPaid(string OrderId);

/// <summary>The parcel has left the house: <c>order.shipped</c>.</summary>
public sealed record OrderShipped(string OrderId);
