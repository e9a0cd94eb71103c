using System.Collections.Concurrent;

namespace Checkout;

/// <summary>
/// Keeps the orders and the state of each. Stands in for a table of the shop's database, and ends with the process.
/// </summary>
public sealed class OrderBook
{
    private readonly ConcurrentDictionary<string, Order> orders = new();
    private readonly ConcurrentDictionary<string, string> states = new();
    private readonly ConcurrentDictionary<string, int> looks = new();

    /// <summary>The number of orders that stand.</summary>
    public int Count => orders.Count;

    public void Add(Order order) => orders[order.OrderId] = order;

    /// <exception cref="KeyNotFoundException">There is no such order.</exception>
    public Order Get(string orderId) =>
        orders.TryGetValue(orderId, out var order) ? order : throw new KeyNotFoundException($"there is no order {orderId}");

    /// <summary>
    /// Returns what an event says of its order, or what the shop knows of it if the event has the id only.
    /// </summary>
    public (string UserId, decimal Total) DetailsOf(OrderPlaced placed)
    {
        if (placed is { UserId: { } userId, Total: { } total })
        {
            return (userId, total);
        }

        var order = Get(placed.OrderId);
        return (order.UserId, order.Total);
    }

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
