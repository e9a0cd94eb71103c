namespace EventBus.Conformance;

/// <summary>An event of another log.</summary>
[EventName("invoice.paid")]
internal sealed record InvoicePaid(int Number);
