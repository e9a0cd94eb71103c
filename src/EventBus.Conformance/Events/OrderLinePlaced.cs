namespace EventBus.Conformance;

/// <summary>An event that declares the first word <c>order-line</c>.</summary>
[EventName("order-line.placed")]
internal sealed record OrderLinePlaced;
