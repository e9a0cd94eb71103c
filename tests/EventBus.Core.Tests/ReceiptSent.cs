namespace EventBus;

public sealed record ReceiptSent(string OrderId);
