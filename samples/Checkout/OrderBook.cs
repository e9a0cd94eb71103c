using System.Collections.Concurrent;

namespace Checkout;

/// <summary>How far each order has come. Stands in for a table of the shop's database.</summary>
public sealed class OrderBook
{
    private readonly ConcurrentDictionary<string, string> states = new();
    private readonly ConcurrentDictionary<string, int> looks = new();

    public bool IsPaid(string orderId)
    {
        looks.AddOrUpdate(orderId, 1, static (_, count) => count + 1);
        return states.ContainsKey(orderId);
    }

    /// <summary>How often somebody wanted to know whether it is paid.</summary>
    public int LooksAt(string orderId) => looks.GetValueOrDefault(orderId);

    public void MarkPaid(string orderId) => states[orderId] = "paid";

    public void MarkShipped(string orderId) => states[orderId] = "shipped";
}
