namespace EventBus.Conformance;

/// <summary>An event that declares the first word <c>order</c>.</summary>
[EventName("order.placed")]
internal sealed record OrderPlaced;
