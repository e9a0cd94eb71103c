namespace Checkout;

/// <summary>An order was placed and paid. The event's name is <c>order.placed</c>.</summary>
public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);

/// <summary>The bank received the payment: <c>order.paid</c>.</summary>
public sealed record OrderPaid(string OrderId);

/// <summary>The parcel was shipped: <c>order.shipped</c>.</summary>
public sealed record OrderShipped(string OrderId);
