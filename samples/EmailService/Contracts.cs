using System.Text.Json.Serialization;

namespace EmailService;

/// <summary>The members of <c>order.placed</c> that a mail needs. Other members of the event are ignored.</summary>
public sealed record OrderPlaced([property: JsonRequired] string OrderId, string? UserId, decimal? Total);

/// <summary>The members of <c>order.shipped</c> that a mail needs.</summary>
public sealed record OrderShipped([property: JsonRequired] string OrderId);
