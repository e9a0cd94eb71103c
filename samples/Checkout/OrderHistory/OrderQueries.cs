using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Checkout;

/// <summary>Answers the queries about orders from the read model. Never reads the tables that commands write.</summary>
public sealed class OrderQueries
{
    public const int PageSize = 20;

    private const string Rows = "SELECT order_id, placed_at, state, total, items, version, user_id FROM order_history";

    private readonly ShopDatabase database;

    public OrderQueries(ShopDatabase database)
    {
        this.database = database;
        OrderHistoryTables.Create(database);
    }

    /// <summary>Returns the latest orders of a user, newest first.</summary>
    public async Task<IReadOnlyList<OrderRow>> ListAsync(string userId, CancellationToken cancellationToken) =>
        await database.QueryAsync(
            $"{Rows} WHERE user_id = @user ORDER BY placed_at DESC LIMIT {PageSize}",
            [("@user", userId)],
            Read,
            cancellationToken);

    /// <summary>Returns the products that a user bought, without those of cancelled orders.</summary>
    public async Task<IReadOnlyList<BoughtProduct>> ProductsAsync(string userId, CancellationToken cancellationToken) =>
        await database.QueryAsync(
            "SELECT product_id, pieces FROM bought_products WHERE user_id = @user AND pieces > 0 ORDER BY product_id",
            [("@user", userId)],
            static row => new BoughtProduct(row.GetString(0), row.GetInt32(1)),
            cancellationToken);

    /// <summary>Returns the row of an order and its user; null if there is none yet.</summary>
    public async Task<(string UserId, OrderRow Order)?> FindAsync(string orderId, CancellationToken cancellationToken)
    {
        var found = await database.QueryAsync(
            $"{Rows} WHERE order_id = @order",
            [("@order", orderId)],
            static row => (row.GetString(6), Read(row)),
            cancellationToken);
        return found is [var one] ? one : null;
    }

    /// <summary>Returns the users who have orders.</summary>
    public Task<List<string>> UsersAsync(CancellationToken cancellationToken) =>
        database.QueryAsync("SELECT DISTINCT user_id FROM order_history", [], static row => row.GetString(0), cancellationToken);

    private static OrderRow Read(SqliteDataReader row) => new(
        row.GetString(0),
        DateTimeOffset.Parse(row.GetString(1), CultureInfo.InvariantCulture),
        row.GetString(2),
        row.GetDecimal(3),
        row.GetString(4),
        row.GetInt64(5));
}
