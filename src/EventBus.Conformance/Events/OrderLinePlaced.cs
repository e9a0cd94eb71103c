namespace EventBus.Conformance;

/// <summary>An event whose name begins with the word <c>order-line</c>.</summary>
[EventName("order-line.placed")]
internal sealed record OrderLinePlaced;
