using System.Collections.Concurrent;

namespace Checkout;

/// <summary>How far each order has come. Stands in for a table of the shop's database.</summary>
public sealed class OrderBook
{
    private readonly ConcurrentDictionary<string, string> states = new();

    public bool IsPaid(string orderId) => states.ContainsKey(orderId);

    public void MarkPaid(string orderId) => states[orderId] = "paid";

    public void MarkShipped(string orderId) => states[orderId] = "shipped";
}
