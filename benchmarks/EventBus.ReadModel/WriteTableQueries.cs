using Checkout;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Data.Sqlite;

namespace EventBus.ReadModel;

/// <summary>
/// Answers the queries of the sample from the table <c>orders</c>, with the same answers. The table has the index that
/// these queries need.
/// </summary>
internal sealed class WriteTableQueries
{
    private const string Index = "CREATE INDEX IF NOT EXISTS orders_by_user ON orders (user_id, placed_at)";

    private const string Page = """
        SELECT order_id, placed_at, state, total, version,
            (SELECT group_concat((item.value ->> 'quantity') || ' x ' || (item.value ->> 'productId'), ', ') FROM json_each(items) AS item)
        FROM orders WHERE user_id = @user AND state IN ('paid', 'cancelled') ORDER BY placed_at DESC LIMIT 20
        """;

    private const string Products = """
        SELECT item.value ->> 'productId' AS product, sum(item.value ->> 'quantity')
        FROM orders, json_each(orders.items) AS item
        WHERE user_id = @user AND state = 'paid' GROUP BY product ORDER BY product
        """;

    private readonly ShopDatabase database;

    public WriteTableQueries(ShopDatabase database)
    {
        this.database = database;
        database.Create(Index);
    }

    public void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/write-tables/orders", async (string user, CancellationToken cancellationToken) =>
            new OrderPage(await QueryAsync(Page, user, ReadRow, cancellationToken)));
        app.MapGet("/write-tables/orders/products", async (string user, CancellationToken cancellationToken) =>
            await QueryAsync(Products, user, row => new BoughtProduct(row.GetString(0), row.GetInt32(1)), cancellationToken));
    }

    private async Task<IReadOnlyList<T>> QueryAsync<T>(
        string sql,
        string user,
        Func<SqliteDataReader, T> read,
        CancellationToken cancellationToken) =>
        await database.QueryAsync(sql, [("@user", user)], read, cancellationToken);

    private static OrderRow ReadRow(SqliteDataReader row) => new(
        row.GetString(0),
        row.GetDateTimeOffset(1),
        row.GetString(2),
        row.GetDecimal(3),
        row.GetString(5),
        row.GetInt64(4));
}
