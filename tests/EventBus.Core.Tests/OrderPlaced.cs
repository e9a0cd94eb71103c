namespace EventBus;

public sealed record OrderPlaced(string OrderId, decimal Total = 1m);
