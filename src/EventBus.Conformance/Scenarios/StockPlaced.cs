namespace EventBus.Conformance;

/// <summary>Declares the first word <c>stock</c>.</summary>
[EventName("stock.placed")]
internal sealed record StockPlaced;
