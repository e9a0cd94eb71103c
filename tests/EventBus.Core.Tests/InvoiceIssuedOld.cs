namespace EventBus;

[EventName("invoice.issued")]
public sealed record InvoiceIssuedOld(string Customer);
