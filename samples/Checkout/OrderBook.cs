using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Checkout;

/// <summary>Keeps the orders in the table <c>orders</c>. Each call is one statement and one commit.</summary>
public sealed class OrderBook(ShopDatabase database)
{
    private const string Columns = "order_id, user_id, items, total, placed_at, state, version, is_published, is_cancellation_published";

    /// <summary>
    /// Places an order that is pending, or returns the one that was placed under the same key. Without a key each call
    /// places an order.
    /// </summary>
    public async Task<Order> PlaceAsync(
        string? idempotencyKey,
        Cart cart,
        decimal total,
        DateTimeOffset placedAt,
        CancellationToken cancellationToken)
    {
        // The update changes nothing: it makes the statement return the row that has the key.
        const string Place = $"""
            INSERT INTO orders (order_id, idempotency_key, user_id, items, total, placed_at, state, version)
            SELECT 1001 + coalesce(max(number), 0), @key, @user, @items, @total, @placed, 'pending', 1 FROM orders WHERE true
            ON CONFLICT (idempotency_key) DO UPDATE SET idempotency_key = excluded.idempotency_key RETURNING {Columns}
            """;
        var placed = await database.QueryAsync(
            Place,
            [("@key", idempotencyKey), .. ValuesOf(cart.UserId, cart.Items, total, placedAt)],
            Read,
            cancellationToken);
        return placed.Single();
    }

    /// <summary>
    /// Adds an order that was paid elsewhere. Adding it again changes nothing. Its id must never be one that this shop
    /// assigns.
    /// </summary>
    public Task AddAsync(Order order, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            """
            INSERT INTO orders (order_id, user_id, items, total, placed_at, state, version)
            VALUES (@id, @user, @items, @total, @placed, 'paid', 1) ON CONFLICT (order_id) DO NOTHING
            """,
            [("@id", order.OrderId), .. ValuesOf(order.UserId, order.Items, order.Total, order.PlacedAt)],
            cancellationToken);

    /// <summary>Makes a pending order stand. From this commit on its event is to be published, if it has one.</summary>
    public Task ConfirmAsync(string orderId, bool hasEvent, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            """
            UPDATE orders SET state = 'paid', version = version + 1, is_published = @published
            WHERE order_id = @id AND state = 'pending'
            """,
            [("@id", orderId), ("@published", hasEvent ? 0 : null)],
            cancellationToken);

    /// <summary>Drops a pending order. Its key is free: the customer who tries again places another order.</summary>
    public Task DropAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            """
            UPDATE orders SET state = 'dropped', version = version + 1, idempotency_key = NULL
            WHERE order_id = @id AND state = 'pending'
            """,
            [("@id", orderId)],
            cancellationToken);

    public Task MarkPublishedAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "UPDATE orders SET is_published = 1 WHERE order_id = @id",
            [("@id", orderId)],
            cancellationToken);

    #region cancel
    /// <summary>
    /// Cancels an order that is paid and not shipped. From this commit on its event <c>order.cancelled</c> is to be
    /// published.
    /// </summary>
    /// <returns>The new version of the order; null if it cannot be cancelled.</returns>
    public async Task<long?> CancelAsync(string orderId, CancellationToken cancellationToken)
    {
        const string Cancel = """
            UPDATE orders SET state = 'cancelled', version = version + 1, is_cancellation_published = 0
            WHERE order_id = @id AND state = 'paid'
                AND NOT EXISTS (SELECT 1 FROM fulfilments WHERE order_id = @id AND state = 'shipped')
            RETURNING version
            """;
        var cancelled = await database.QueryAsync(Cancel, [("@id", orderId)], static row => row.GetInt64(0), cancellationToken);
        return cancelled is [var version] ? version : null;
    }
    #endregion

    public Task MarkCancellationPublishedAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteAsync(
            "UPDATE orders SET is_cancellation_published = 1 WHERE order_id = @id",
            [("@id", orderId)],
            cancellationToken);

    /// <exception cref="KeyNotFoundException">There is no such order.</exception>
    public async Task<Order> GetAsync(string orderId, CancellationToken cancellationToken)
    {
        var found = await SelectAsync("order_id = @value", orderId, cancellationToken);
        return found is [var order] ? order : throw new KeyNotFoundException($"there is no order {orderId}");
    }

    /// <summary>Returns the state of an order; null if there is no such order.</summary>
    public async Task<OrderState?> StateOfAsync(string orderId, CancellationToken cancellationToken) =>
        (await SelectAsync("order_id = @value", orderId, cancellationToken)).SingleOrDefault()?.State;

    /// <summary>Returns the order that was placed under a key; null if there is none.</summary>
    public async Task<Order?> FindAsync(string idempotencyKey, CancellationToken cancellationToken) =>
        (await SelectAsync("idempotency_key = @value", idempotencyKey, cancellationToken)).SingleOrDefault();

    /// <summary>Returns the pending orders that were placed before a time.</summary>
    public Task<List<Order>> PendingAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        SelectAsync("state = 'pending' AND placed_at < @value", before, cancellationToken);

    /// <summary>Returns the orders that have an event which is to be published.</summary>
    public Task<List<Order>> UnpublishedAsync(CancellationToken cancellationToken)
    {
        const string Unpublished = """
            number IN (
                SELECT number FROM orders WHERE is_published = 0
                UNION SELECT number FROM orders WHERE is_cancellation_published = 0)
            """;
        return SelectAsync(Unpublished, null, cancellationToken);
    }

    /// <summary>Returns the orders that stand, and those that were cancelled.</summary>
    public Task<List<Order>> ListAsync(CancellationToken cancellationToken) =>
        SelectAsync("state NOT IN ('pending', 'dropped')", null, cancellationToken);

    /// <summary>Returns the number of orders that stand.</summary>
    public async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        const string Count = "SELECT count(*) FROM orders WHERE state = 'paid'";
        return (await database.QueryAsync(Count, [], static row => row.GetInt64(0), cancellationToken)).Single();
    }

    /// <summary>
    /// Returns what an event says of its order, or what the shop knows of it if the event has the id only.
    /// </summary>
    public async ValueTask<(string UserId, decimal Total)> DetailsOfAsync(OrderPlaced placed, CancellationToken cancellationToken)
    {
        if (placed is { UserId: { } userId, Total: { } total })
        {
            return (userId, total);
        }

        var order = await GetAsync(placed.OrderId, cancellationToken);
        return (order.UserId, order.Total);
    }

    private Task<List<Order>> SelectAsync(string condition, object? value, CancellationToken cancellationToken) =>
        database.QueryAsync(
            $"SELECT {Columns} FROM orders WHERE {condition} ORDER BY number",
            value is null ? [] : [("@value", value)],
            Read,
            cancellationToken);

    private static (string Name, object? Value)[] ValuesOf(
        string userId,
        IReadOnlyList<CartItem> items,
        decimal total,
        DateTimeOffset placedAt) =>
        [
            ("@user", userId),
            ("@items", JsonSerializer.Serialize(items, AppJson.Default.IReadOnlyListCartItem)),
            ("@total", total.ToString(CultureInfo.InvariantCulture)),
            ("@placed", placedAt),
        ];

    private static Order Read(SqliteDataReader row) =>
        new(
            row.GetString(0),
            row.GetString(1),
            JsonSerializer.Deserialize(row.GetString(2), AppJson.Default.IReadOnlyListCartItem)!,
            row.GetDecimal(3),
            row.GetDateTimeOffset(4))
        {
            State = Enum.Parse<OrderState>(row.GetString(5), ignoreCase: true),
            Version = row.GetInt64(6),
            IsPublished = row.IsDBNull(7) ? null : row.GetBoolean(7),
            IsCancellationPublished = row.IsDBNull(8) ? null : row.GetBoolean(8),
        };
}
