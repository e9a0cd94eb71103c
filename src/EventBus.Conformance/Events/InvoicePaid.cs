namespace EventBus.Conformance;

/// <summary>An event whose name begins with another word than those of the parcel events.</summary>
[EventName("invoice.paid")]
internal sealed record InvoicePaid(int Number);
