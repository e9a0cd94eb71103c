namespace EventBus.Conformance;

/// <summary>An event that declares the first word <c>stock</c>.</summary>
[EventName("stock.placed")]
internal sealed record StockPlaced;
