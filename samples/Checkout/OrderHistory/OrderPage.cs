namespace Checkout;

/// <summary>The reply to a query: the latest orders of a user, newest first.</summary>
public sealed record OrderPage(IReadOnlyList<OrderRow> Orders);
