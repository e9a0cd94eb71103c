using System.Text.Json.Serialization;

namespace Checkout;

/// <summary>
/// An order was placed and paid. The event's name is <c>order.placed</c>. It is small: a handler that needs more
/// fetches the order by its id. Only the id is required, so that other programs can send it alone.
/// </summary>
public sealed record OrderPlaced(
    [property: JsonRequired] string OrderId,
    string? UserId = null,
    decimal? Total = null,
    DateTimeOffset? PlacedAt = null);

/// <summary>The bank received the payment: <c>order.paid</c>.</summary>
public sealed record OrderPaid([property: JsonRequired] string OrderId);

/// <summary>The parcel was shipped: <c>order.shipped</c>.</summary>
public sealed record OrderShipped([property: JsonRequired] string OrderId);
