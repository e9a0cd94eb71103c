namespace EventBus.Conformance;

/// <summary>Declares the first word <c>order-line</c>.</summary>
[EventName("order-line.placed")]
internal sealed record OrderLinePlaced;
