namespace EventBus.Conformance;

/// <summary>An event whose name begins with the word <c>stock</c>.</summary>
[EventName("stock.placed")]
internal sealed record StockPlaced;
