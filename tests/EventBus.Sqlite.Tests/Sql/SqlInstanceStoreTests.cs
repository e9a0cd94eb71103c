namespace EventBus.Sqlite.Tests;

public sealed class SqlInstanceStoreTests : IDisposable
{
    private static readonly TimeSpan Valid = TimeSpan.FromSeconds(30);

    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Instances_OfOneFile_AreCountedBySubscriptionUntilTheyStopOrExpire()
    {
        await using var first = await TestStores.OpenAsync(folder["bus.db"]);
        await using var second = await TestStores.OpenAsync(folder["bus.db"]);
        await using var other = await TestStores.OpenAsync(folder["bus.db"], service: "other");
        var now = TestStores.Now;

        Assert.Equal([("mail", 1)], Sorted(await first.Instances.RecordAsync("a", ["mail"], now, Valid, Token)));
        Assert.Equal([("mail", 1)], Sorted(await other.Instances.RecordAsync("o", ["mail"], now, Valid, Token)));
        Assert.Equal([("mail", 2), ("stock", 1)], Sorted(await second.Instances.RecordAsync("b", ["mail", "stock"], now, Valid, Token)));

        // A subscription that an instance no longer consumes does not count.
        Assert.Equal([("mail", 2)], Sorted(await second.Instances.RecordAsync("b", ["mail"], now, Valid, Token)));
        await second.Instances.ForgetAsync("b", Token);
        Assert.Equal([("mail", 1)], Sorted(await first.Instances.RecordAsync("a", ["mail"], now, Valid, Token)));
        await second.Instances.RecordAsync("b", ["mail"], now, Valid, Token);
        Assert.Equal(
            [("mail", 1)],
            Sorted(await first.Instances.RecordAsync("a", ["mail"], now + Valid + TimeSpan.FromSeconds(1), Valid, Token)));
    }

    private static IEnumerable<(string, int)> Sorted(IReadOnlyDictionary<string, int> counts) =>
        counts.Select(each => (each.Key, each.Value)).Order();
}
