using System.Text.Json.Serialization;

namespace Checkout;

/// <summary>
/// The row of an order in the read model has changed: <c>order-history.changed</c>. Published by the handler that
/// writes the row, and sent after its commit.
/// </summary>
public sealed record OrderHistoryChanged([property: JsonRequired] string OrderId);
