namespace Checkout.Demo;

/// <summary>
/// Reads the tables of the shop and of the payment provider, and prints one line for each step of the scene.
/// </summary>
internal sealed class Ledger
{
    private const string Read = """
        SELECT
            (SELECT count(*) FROM orders WHERE state = 'paid'),
            (SELECT count(*) FROM charges WHERE amount IS NOT NULL),
            (SELECT count(DISTINCT event_id) FROM arrivals),
            (SELECT count(*) FROM points),
            (SELECT count(*) FROM orders WHERE state = 'paid'
                AND (SELECT count(*) FROM charges WHERE order_id = orders.order_id AND amount = orders.total) = 1
                AND (SELECT count(DISTINCT event_id) FROM arrivals WHERE order_id = orders.order_id) = 1
                AND (SELECT count(*) FROM points WHERE order_id = orders.order_id) = 1),
            (SELECT count(*) FROM arrivals),
            (SELECT count(*) FROM orders WHERE is_published = 0)
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly ShopDatabase database;
    private readonly TimeProvider time;

    private Ledger(ShopDatabase database, TimeProvider time) => (this.database, this.time) = (database, time);

    /// <summary>Creates the tables before a shop uses them.</summary>
    public static async Task<Ledger> CreateAsync(string file, TimeProvider time, CancellationToken cancellationToken)
    {
        _ = new PointsInSqlite($"Data Source={file}");
        var database = new ShopDatabase(file);
        await database.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS arrivals (order_id TEXT NOT NULL, event_id TEXT NOT NULL)",
            [],
            cancellationToken);
        return new Ledger(database, time);
    }

    public static void PrintHeader() =>
        Screen.Text($"{"",-32}{"answers",-24}{"orders",7}{"charges",9}{"events",8}{"handled",9}");

    public async Task<Figures> ReadAsync(CancellationToken cancellationToken)
    {
        var figures = await database.QueryAsync(
            Read,
            [],
            static row => new Figures(
                row.GetInt64(0),
                row.GetInt64(1),
                row.GetInt64(2),
                row.GetInt64(3),
                row.GetInt64(4),
                row.GetInt64(5),
                row.GetInt64(6)),
            cancellationToken);
        return figures.Single();
    }

    /// <summary>Waits for figures. They may change in another process, so it looks at the tables.</summary>
    public async Task WaitAsync(Func<Figures, bool> expected, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        while (await ReadAsync(cancellationToken) is var figures && !expected(figures))
        {
            if (time.GetElapsedTime(begun) > Limit)
            {
                throw new TimeoutException($"the events were not handled within {Limit.TotalSeconds} s: {figures}.");
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }

    public async Task<Figures> PrintAsync(string step, string answers, CancellationToken cancellationToken)
    {
        var figures = await ReadAsync(cancellationToken);
        Screen.Text($"{step,-32}{answers,-24}{figures.Orders,7}{figures.Charges,9}{figures.Events,8}{figures.Handled,9}");
        return figures;
    }
}
