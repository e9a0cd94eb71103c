using System.Globalization;
using EventBus;
using Microsoft.Data.Sqlite;

namespace Checkout;

/// <summary>
/// Writes the read model of the orders: tables that have the form of the queries (<see cref="OrderQueries"/>). They
/// are written by one subscription and by a rebuild only.
/// </summary>
public sealed class OrderHistory
{
    private readonly ShopDatabase database;
    private readonly bool hasMarks;

    /// <param name="database">The SQLite file of the read model.</param>
    /// <param name="hasMarks">True if the bus marks the handled events in this file.</param>
    public OrderHistory(ShopDatabase database, bool hasMarks)
    {
        (this.database, this.hasMarks) = (database, hasMarks);
        OrderHistoryTables.Create(database);
    }

    #region keep
    /// <summary>Writes the rows of an order, in the commit that marks its event if both are in one file.</summary>
    public async Task KeepAsync(Order order, EventContext context, CancellationToken cancellationToken)
    {
        if (hasMarks)
        {
            // One commit: after a crash at any point, rows and mark are both there or both missing.
            context.OnCommit((transaction, token) => PutAsync((SqliteTransaction)transaction, order, token));
            return;
        }

        // Marks in memory or in Redis are another commit. After a crash between the two, the handler runs again: it
        // finds the version of the order, and changes nothing.
        await CommitAsync(transaction => PutAsync(transaction, order, cancellationToken), cancellationToken);
    }

    /// <summary>Writes the rows of an order, unless they have this version or a newer one.</summary>
    private static async Task PutAsync(SqliteTransaction transaction, Order order, CancellationToken cancellationToken)
    {
        var (version, counted) = await FindAsync(transaction, order.OrderId, cancellationToken);
        if (order.Version <= version)
        {
            return;
        }

        await PutRowAsync(transaction, order, cancellationToken);

        // A sum has no version of its own: it is right because the order above is counted once.
        var counts = order.State == OrderState.Cancelled ? 0 : 1;
        if (counts != counted)
        {
            await CountAsync(transaction, order, counts - counted, cancellationToken);
        }
    }
    #endregion

    #region rebuild
    /// <summary>
    /// Writes all rows again in one commit: a query finds all of the old ones or all of the new ones.
    /// </summary>
    public Task RebuildAsync(OrderBook orders, CancellationToken cancellationToken) =>
        CommitAsync(
            async transaction =>
            {
                await using var delete = Command(transaction, "DELETE FROM order_history; DELETE FROM bought_products");
                await delete.ExecuteNonQueryAsync(cancellationToken);

                // Read after the write lock was taken: a handler that wrote a newer version has written it before, and
                // it is found here. A handler that waits for the lock finds this version or writes a newer one.
                foreach (var order in await orders.ListAsync(cancellationToken))
                {
                    await PutAsync(transaction, order, cancellationToken);
                }
            },
            cancellationToken);
    #endregion

    private async Task CommitAsync(Func<SqliteTransaction, Task> write, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);

        // Not deferred: takes the write lock at once, so that what is read in it is still true at its commit.
        await using var transaction = (SqliteTransaction)await connection.BeginTransactionAsync(cancellationToken);
        await write(transaction);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Returns the version of the row of an order, and how often its items are counted: 0 or 1.</summary>
    private static async Task<(long Version, int Counted)> FindAsync(
        SqliteTransaction transaction,
        string orderId,
        CancellationToken cancellationToken)
    {
        await using var find = Command(
            transaction,
            "SELECT version, state <> 'cancelled' FROM order_history WHERE order_id = @order",
            ("@order", orderId));
        await using var row = await find.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? (row.GetInt64(0), row.GetInt32(1)) : (0, 0);
    }

    private static async Task PutRowAsync(SqliteTransaction transaction, Order order, CancellationToken cancellationToken)
    {
        await using var put = Command(
            transaction,
            """
            INSERT INTO order_history (order_id, user_id, placed_at, state, total, items, version)
            VALUES (@order, @user, @placed, @state, @total, @items, @version)
            ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, version = excluded.version
            """,
            ("@order", order.OrderId),
            ("@user", order.UserId),
            ("@placed", order.PlacedAt.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture)),
            ("@state", order.State == OrderState.Cancelled ? "cancelled" : "paid"),
            ("@total", order.Total.ToString(CultureInfo.InvariantCulture)),
            ("@items", string.Join(", ", order.Items.Select(item => $"{item.Quantity} x {item.ProductId}"))),
            ("@version", order.Version));
        await put.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Adds the items of an order to the products of its user, or with -1 subtracts them.</summary>
    private static async Task CountAsync(SqliteTransaction transaction, Order order, int times, CancellationToken cancellationToken)
    {
        foreach (var item in order.Items)
        {
            await using var count = Command(
                transaction,
                """
                INSERT INTO bought_products (user_id, product_id, pieces) VALUES (@user, @product, @pieces)
                ON CONFLICT (user_id, product_id) DO UPDATE SET pieces = pieces + excluded.pieces
                """,
                ("@user", order.UserId),
                ("@product", item.ProductId),
                ("@pieces", times * item.Quantity));
            await count.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static SqliteCommand Command(SqliteTransaction transaction, string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        var command = transaction.Connection!.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, sql);
        foreach (var (name, value) in values)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}
