namespace Checkout;

/// <summary>An order of the shop. The total is the sum of the prices of its items.</summary>
public sealed record Order(string OrderId, string UserId, IReadOnlyList<CartItem> Items, decimal Total, DateTimeOffset PlacedAt);
