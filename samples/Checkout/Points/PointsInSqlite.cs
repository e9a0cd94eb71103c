using System.Data.Common;
using EventBus;
using Microsoft.Data.Sqlite;

namespace Checkout;

/// <summary>
/// Keeps the ledger in the SQLite file in which the bus marks handled events: mark and line are one commit.
/// </summary>
public sealed class PointsInSqlite : IPointsLedger
{
    private readonly string connectionString;

    public PointsInSqlite(string connectionString)
    {
        this.connectionString = connectionString;
        using var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var create = connection.CreateCommand();

        // No unique key: it would hide a second line, and the demo counts lines.
        create.CommandText = "CREATE TABLE IF NOT EXISTS points (order_id TEXT NOT NULL, user_id TEXT NOT NULL, points INTEGER NOT NULL)";
        create.ExecuteNonQuery();
    }

    public void Credit(string orderId, string userId, int points, EventContext context) =>
        context.OnCommit((transaction, cancellationToken) => InsertAsync(transaction, (orderId, userId, points), cancellationToken));

    public async Task<int> CountAsync(string orderId, CancellationToken cancellationToken)
    {
        await using var connection = new SqliteConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var count = connection.CreateCommand();
        count.CommandText = "SELECT count(*) FROM points WHERE order_id = @order";
        count.Parameters.AddWithValue("@order", orderId);
        return Convert.ToInt32(await count.ExecuteScalarAsync(cancellationToken), null);
    }

    private static async Task InsertAsync(
        DbTransaction transaction,
        (string OrderId, string UserId, int Points) line,
        CancellationToken cancellationToken)
    {
        var sqlite = (SqliteTransaction)transaction;
        await using var insert = sqlite.Connection!.CreateCommand();
        insert.Transaction = sqlite;
        insert.CommandText = "INSERT INTO points (order_id, user_id, points) VALUES (@order, @user, @points)";
        insert.Parameters.AddWithValue("@order", line.OrderId);
        insert.Parameters.AddWithValue("@user", line.UserId);
        insert.Parameters.AddWithValue("@points", line.Points);
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }
}
