namespace EventBus.Conformance;

/// <summary>An event whose name begins with the word <c>order</c>.</summary>
[EventName("order.placed")]
internal sealed record OrderPlaced;
