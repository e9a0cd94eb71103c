using EventBus;

namespace Checkout.Demo;

/// <summary>Orders, cancels, publishes an event once more, and rebuilds the read model.</summary>
internal sealed class ReadModelDemo(IServiceProvider services, ShopClient shop, Promises promises)
{
    private const string User = "ada";

    private readonly TimeProvider time = services.GetRequiredService<TimeProvider>();
    private readonly Quiet quiet = services.GetRequiredService<Quiet>();
    private readonly OrderQueries queries = services.GetRequiredService<OrderQueries>();
    private readonly Journal journal = services.GetRequiredService<Journal>();
    private readonly List<string> orders = [];

    public async Task OrderAndCancelAsync(CancellationToken cancellationToken)
    {
        Screen.Title("Commands and queries");
        for (var i = 0; i < 3; i++)
        {
            var answer = await shop.CheckoutAsync("/checkout", cancellationToken);
            orders.Add(answer.OrderId ?? throw new InvalidOperationException($"The checkout was refused: {answer.Problem}"));
            Screen.Answer(answer, $"order {answer.OrderId}");
        }

        var start = time.GetTimestamp();
        foreach (var order in orders)
        {
            await shop.OrdersAsync(User, order, cancellationToken: cancellationToken);
        }

        var waited = time.GetElapsedTime(start);
        Screen.Text("");
        var placed = await shop.OrdersAsync(User, orders[^1], cancellationToken: cancellationToken);
        Show(placed);
        promises.Add("queries that wait for the three orders show them", placed.Count, 3);
        promises.Add("  the last one after", waited, placed.Count == 3);

        var cancelled = await shop.CancelAsync(orders[1], cancellationToken);
        Screen.Text("", $"POST /orders/{orders[1]}/cancel      {(int)cancelled.Status}, version {cancelled.Version}");
        var again = await shop.CancelAsync(orders[1], cancellationToken);
        Screen.Text($"POST /orders/{orders[1]}/cancel      {(int)again.Status}, \"{again.Problem}\"");
        var unknown = await shop.CancelAsync("9999", cancellationToken);
        Screen.Text($"POST /orders/9999/cancel      {(int)unknown.Status}, \"{unknown.Problem}\"", "");
        var rows = await shop.OrdersAsync(User, orders[1], cancelled.Version, cancellationToken);
        Show(rows);
        var products = await ShowProductsAsync(cancellationToken);

        promises.Add("an order is cancelled once: 200", (int)cancelled.Status, 200);
        promises.Add("  then it is refused with 409", (int)again.Status, 409);
        promises.Add("  and an unknown order with 404", (int)unknown.Status, 404);
        promises.Add("a query that waits for the new version shows it as cancelled", Cancelled(rows), 1);
        promises.Add("  and its products are not counted: lamps bought", Lamps(products), 2);
    }

    public async Task LateCopyAsync(CancellationToken cancellationToken)
    {
        Screen.Title("An old event arrives again");
        var handled = Runs();
        await services.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced(orders[1]), cancellationToken);
        await quiet.UntilAsync(() => Runs() > handled, "the work for the copy", cancellationToken);
        Screen.Text(
            $"order.placed of the cancelled order {orders[1]} is published once more, under another event id, so that the",
            "subscription handles it. The version of the order is known: nothing changes.",
            "");
        var rows = await shop.OrdersAsync(User, orders[1], cancellationToken: cancellationToken);
        Show(rows);
        promises.Add("a copy of order.placed after the cancellation is handled", Runs() - handled, 1);
        promises.Add("  and changes nothing: cancelled orders", Cancelled(rows), 1);
        promises.Add("  and lamps bought", Lamps(await ShowProductsAsync(cancellationToken)), 2);

        int Runs() => journal.For(orders[1]).Count(run => run.Subscription == "order-history");
    }

    public async Task RebuildAsync(CancellationToken cancellationToken)
    {
        Screen.Title("The read model is built again");
        var (orderRows, sums) = (await queries.ListAsync(User, cancellationToken), await queries.ProductsAsync(User, cancellationToken));
        var database = services.GetRequiredService<ShopDatabase>();
        await database.ExecuteAsync("DELETE FROM order_history WHERE order_id = @id", [("@id", orders[2])], cancellationToken);
        await database.ExecuteAsync("UPDATE bought_products SET pieces = 99 WHERE product_id = 'lamp'", [], cancellationToken);
        Screen.Text($"A row is lost and a sum is wrong. GET /orders?user={User}&order={orders[0]}:", "");
        var damaged = await shop.OrdersAsync(User, orders[0], cancellationToken: cancellationToken);
        Show(damaged);
        await ShowProductsAsync(cancellationToken);

        await shop.RebuildAsync(cancellationToken);
        Screen.Text("", "POST /orders/rebuild reads the orders, and writes all rows in one commit:", "");
        var rows = await shop.OrdersAsync(User, cancellationToken: cancellationToken);
        Show(rows);
        var products = await ShowProductsAsync(cancellationToken);
        promises.Add("a damaged read model shows too few orders", damaged.Count, 2);
        promises.Add("  after the rebuild it shows all", rows.Count, 3);
        promises.Add("  and is as it was before the damage", rows.SequenceEqual(orderRows) && products.SequenceEqual(sums));
    }

    /// <summary>Does what a cancellation does until its commit, as if the process ended there.</summary>
    public async Task<string> CancelWithoutEventAsync(CancellationToken cancellationToken)
    {
        Screen.Title("The process ends between a cancellation and its event");
        await services.GetRequiredService<OrderBook>().CancelAsync(orders[0], cancellationToken);
        var state = (await queries.FindAsync(orders[0], cancellationToken))?.Order.State;
        Screen.Text($"Order {orders[0]} is cancelled. Its event is not published: the read model has it as {state}.");
        promises.Add("without its event, a cancellation is not in the read model", state == "paid");
        return orders[0];
    }

    public static async Task PublishedLaterAsync(
        string order,
        ShopClient shop,
        Promises promises,
        CancellationToken cancellationToken)
    {
        Screen.Text("The shop is started again, and publishes the event:", "");
        var rows = await shop.OrdersAsync(User, order, version: 3, cancellationToken);
        Show(rows);
        promises.Add("  the next start of the shop publishes it", rows.Single(row => row.OrderId == order).State == "cancelled");
    }

    private static void Show(IReadOnlyList<OrderRow> rows)
    {
        Screen.Text($"{"order",-8}{"state",-12}{"total",8}   {"items",-24}version");
        foreach (var row in rows)
        {
            Screen.Text($"{row.OrderId,-8}{row.State,-12}{row.Total,8}   {row.Items,-24}{row.Version,7}");
        }
    }

    private async Task<IReadOnlyList<BoughtProduct>> ShowProductsAsync(CancellationToken cancellationToken)
    {
        var products = await shop.ProductsAsync(User, cancellationToken);
        Screen.Text($"bought: {string.Join(", ", products.Select(product => $"{product.Pieces} x {product.ProductId}"))}");
        return products;
    }

    private static int Cancelled(IReadOnlyList<OrderRow> rows) => rows.Count(row => row.State == "cancelled");

    private static int Lamps(IReadOnlyList<BoughtProduct> products) => products.Single(product => product.ProductId == "lamp").Pieces;
}
