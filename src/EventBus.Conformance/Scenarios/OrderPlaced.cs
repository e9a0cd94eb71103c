namespace EventBus.Conformance;

/// <summary>Declares the first word <c>order</c>.</summary>
[EventName("order.placed")]
internal sealed record OrderPlaced;
