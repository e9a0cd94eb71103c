namespace EventBus;

[EventName("invoice.issued", Version = 2)]
public sealed record InvoiceIssued(string First, string Last);
