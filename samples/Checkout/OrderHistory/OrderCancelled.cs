using System.Text.Json.Serialization;

namespace Checkout;

/// <summary>A customer cancelled an order: <c>order.cancelled</c>.</summary>
public sealed record OrderCancelled([property: JsonRequired] string OrderId);
