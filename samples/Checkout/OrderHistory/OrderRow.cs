namespace Checkout;

/// <summary>One order as its customer sees it: a row of the read model.</summary>
/// <param name="OrderId">The id of the order.</param>
/// <param name="PlacedAt">The time at which it was placed.</param>
/// <param name="State">The state in this version.</param>
/// <param name="Total">The sum of the prices.</param>
/// <param name="Items">The items as a text, for example <c>1 x book, 2 x lamp</c>.</param>
/// <param name="Version">The version of the order, which every change raises.</param>
public sealed record OrderRow(string OrderId, DateTimeOffset PlacedAt, string State, decimal Total, string Items, long Version);
