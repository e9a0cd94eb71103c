namespace EventBus;

public sealed record OrderShipped(string OrderId);
