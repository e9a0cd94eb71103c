using System.Collections.Concurrent;

namespace Checkout;

/// <summary>Keeps in the table <c>fulfilments</c> which orders the bank has paid, and which are shipped.</summary>
public sealed class Fulfilments(ShopDatabase database)
{
    private readonly ConcurrentDictionary<string, int> looks = new();

    public async Task<bool> IsPaidAsync(string orderId, CancellationToken cancellationToken)
    {
        const string Select = "SELECT state FROM fulfilments WHERE order_id = @id";
        var found = await database.QueryAsync(Select, [("@id", orderId)], static row => row.GetString(0), cancellationToken);
        looks.AddOrUpdate(orderId, 1, static (_, count) => count + 1);
        return found.Count > 0;
    }

    /// <summary>Returns the number of calls of <see cref="IsPaidAsync"/> for an order.</summary>
    public int LooksAt(string orderId) => looks.GetValueOrDefault(orderId);

    public Task MarkPaidAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "INSERT INTO fulfilments (order_id, state) VALUES (@id, 'paid') ON CONFLICT (order_id) DO NOTHING",
            [("@id", orderId)],
            cancellationToken);

    public Task MarkShippedAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "INSERT INTO fulfilments (order_id, state) VALUES (@id, 'shipped') ON CONFLICT (order_id) DO UPDATE SET state = 'shipped'",
            [("@id", orderId)],
            cancellationToken);
}
