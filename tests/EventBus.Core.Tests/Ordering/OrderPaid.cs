using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

[EventName("order.paid")]
public sealed record OrderPaid(string OrderId);
