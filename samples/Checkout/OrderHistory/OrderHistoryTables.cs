namespace Checkout;

/// <summary>The tables of the read model: one row for an order, and one for a product that a user bought.</summary>
public static class OrderHistoryTables
{
    private const string Tables = """
        CREATE TABLE IF NOT EXISTS order_history (
            order_id TEXT PRIMARY KEY,
            user_id TEXT NOT NULL,
            placed_at TEXT NOT NULL,
            state TEXT NOT NULL,
            total TEXT NOT NULL,
            items TEXT NOT NULL,
            version INTEGER NOT NULL);

        CREATE INDEX IF NOT EXISTS order_history_by_user ON order_history (user_id, placed_at);

        CREATE TABLE IF NOT EXISTS bought_products (
            user_id TEXT NOT NULL,
            product_id TEXT NOT NULL,
            pieces INTEGER NOT NULL,
            PRIMARY KEY (user_id, product_id)) WITHOUT ROWID;
        """;

    /// <summary>Creates the tables, if they are missing.</summary>
    public static void Create(ShopDatabase database) => database.Create(Tables);
}
