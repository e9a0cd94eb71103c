namespace Checkout.Demo;

/// <summary>Fills the cache, changes it, and deletes its key at the worst moments.</summary>
internal sealed class CacheDemo(IServiceProvider services, OrderCache cache, ShopClient shop, Promises promises)
{
    private const string User = "ada";

    private readonly Quiet quiet = services.GetRequiredService<Quiet>();
    private readonly Journal journal = services.GetRequiredService<Journal>();
    private readonly OrderQueries queries = services.GetRequiredService<OrderQueries>();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Screen.Title("The cache in Redis");
        await cache.DeleteAsync(User);
        await shop.OrdersAsync(User, cancellationToken: cancellationToken);
        var filled = await cache.FindAsync(User);
        Screen.Text($"GET /orders?user={User} fills the key user:{User}:orders with {filled?.Count} orders.");
        promises.Add("the first query fills the cache: orders", filled?.Count ?? 0, 3);

        var order = await UpdateAsync(filled!, cancellationToken);
        await OlderVersionAsync(order);
        await DeletedKeyAsync(order, cancellationToken);
        await cache.DeleteAsync(User);
    }

    private async Task<OrderRow> UpdateAsync(IReadOnlyList<OrderRow> rows, CancellationToken cancellationToken)
    {
        var order = rows.First(row => row.State == "paid");
        await quiet.UntilAsync(() => Runs() > 0, "the order in the cache", cancellationToken);
        var before = Runs();
        var (_, version, _) = await shop.CancelAsync(order.OrderId, cancellationToken);
        await quiet.UntilAsync(() => Runs() > before, "the new version in the cache", cancellationToken);
        var cached = (await cache.FindAsync(User))?.Single(row => row.OrderId == order.OrderId);
        Screen.Text($"POST /orders/{order.OrderId}/cancel puts version {cached?.Version} into it: {cached?.State}.");
        promises.Add("a cancellation reaches the cache, in its version", cached?.State == "cancelled" && cached.Version == version);
        return order with { State = "cancelled", Version = version };

        int Runs() => journal.For(order.OrderId).Count(run => run.Subscription == "order-cache");
    }

    private async Task OlderVersionAsync(OrderRow order)
    {
        var old = order with { State = "paid", Version = order.Version - 1 };
        var changed = await cache.PutAsync(User, old);
        var row = await StateOfAsync(order);
        Screen.Text($"A late write of version {old.Version} changes nothing: {row}.");
        promises.Add("a late write of an older version changes nothing", !changed && row == "cancelled");

        // A slow query: it has read the old row, and the new one is written before it fills the cache.
        await cache.DeleteAsync(User);
        await cache.FillAsync(User, async () =>
        {
            await cache.PutAsync(User, order);
            return [old];
        });
        row = await StateOfAsync(order);
        Screen.Text($"Nor does a slow query that has read version {old.Version} and fills the cache after the change: {row}.");
        promises.Add("  nor does a query that fills the cache with older rows", row == "cancelled");
    }

    private async Task DeletedKeyAsync(OrderRow order, CancellationToken cancellationToken)
    {
        var old = order with { State = "paid", Version = order.Version - 1 };
        await cache.DeleteAsync(User);
        await cache.FillAsync(User, async () =>
        {
            await cache.DeleteAsync(User);
            await cache.PutAsync(User, order);
            return [old];
        });
        var isCached = await cache.FindAsync(User) is not null;
        promises.Add("a key deleted during a fill is not filled with older rows", !isCached);

        var rows = await shop.OrdersAsync(User, cancellationToken: cancellationToken);
        var filled = await cache.FindAsync(User);
        var expected = await queries.ListAsync(User, cancellationToken);
        Screen.Text($"The key is deleted. The next query reads SQLite and fills it again: {filled?.Count} orders.", "");
        promises.Add("a deleted key is filled again from SQLite: orders", filled?.Count ?? 0, 3);
        promises.Add("  with the same rows", rows.SequenceEqual(expected) && filled!.ToHashSet().SetEquals(expected));
    }

    private async Task<string?> StateOfAsync(OrderRow order) =>
        (await cache.FindAsync(User))?.Single(row => row.OrderId == order.OrderId).State;
}
