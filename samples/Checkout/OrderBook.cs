using System.Collections.Concurrent;

namespace Checkout;

/// <summary>Keeps the state of each order. Stands in for a table of the shop's database.</summary>
public sealed class OrderBook
{
    private readonly ConcurrentDictionary<string, string> states = new();
    private readonly ConcurrentDictionary<string, int> looks = new();

    public bool IsPaid(string orderId)
    {
        looks.AddOrUpdate(orderId, 1, static (_, count) => count + 1);
        return states.ContainsKey(orderId);
    }

    /// <summary>Returns the number of calls of <see cref="IsPaid"/> for an order.</summary>
    public int LooksAt(string orderId) => looks.GetValueOrDefault(orderId);

    public void MarkPaid(string orderId) => states[orderId] = "paid";

    public void MarkShipped(string orderId) => states[orderId] = "shipped";
}
