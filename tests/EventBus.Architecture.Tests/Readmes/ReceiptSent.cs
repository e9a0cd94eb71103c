namespace EventBus.Architecture.Tests.Readmes;

public sealed record ReceiptSent(string OrderId);
