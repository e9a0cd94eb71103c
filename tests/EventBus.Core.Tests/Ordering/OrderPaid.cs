namespace EventBus;

[EventName("order.paid")]
public sealed record OrderPaid(string OrderId);
