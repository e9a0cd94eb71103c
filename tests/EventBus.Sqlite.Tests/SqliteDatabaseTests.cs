using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqliteDatabaseTests : IDisposable
{
    private static readonly ProcessedKey Key = new("mail", "1");

    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["bus.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Stores_Reopened_ContainEverything()
    {
        long fencingToken;
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Failures.RecordAsync(Failed("waits", line: "k"), Token);
            await stores.Failures.TryParkAsync(Parked("parked", "k"), 10, Token);
            await stores.Failures.AdvanceAsync("mail", "k", 3, Now, Token);
            await stores.Failures.CountAttemptAsync("mail", "started", new AttemptCount(1, 0), Now, Token);
            await stores.Delays.AddAsync(Event("later"), Now, Token);
            fencingToken = (await stores.Processed.ClaimAsync(Key, 7, Now, Lease, Token)).FencingToken;
            await stores.Processed.CompleteAsync(Key, fencingToken, new Completion([Event("out")], [], Now), Token);
        }

        Assert.Equal(["bus.db"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
        await using var again = await OpenAsync(File);

        Assert.Equal("dead", Assert.Single(await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.Equal(3, await again.Failures.CountAsync(Token));
        Assert.Equal("waits", Assert.Single((await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries).Envelope.Id);
        Assert.Equal((1, 3), await again.Failures.GetOrderAsync("mail", "k", Token));
        Assert.Equal(3, (await again.Failures.CountAttemptAsync("mail", "started", new AttemptCount(1, 0), Now, Token))?.Attempts);
        Assert.Equal("later", Assert.Single((await again.Delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries).Id);
        Assert.Equal("out", Assert.Single((await again.Processed.ClaimAsync(Key, 7, Now, Lease, Token)).Outbox).Id);
        Assert.True(
            (await again.Processed.ClaimAsync(new ProcessedKey(Key.Subscription, "2"), 7, Now, Lease, Token)).FencingToken > fencingToken);
    }

    [Fact]
    public async Task File_OfTheFirstVersion_IsMigratedAndKeepsItsData()
    {
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Sagas.CreateAsync(Saga("new"), Token);
        }

        // The state that that version left.
        using (var connection = Connect(File))
        {
            await RunAsync(connection, "DROP TABLE eventbus_sagas; DROP TABLE eventbus_saga_counts; DELETE FROM eventbus_meta WHERE name "
                + "= 'saga'; ALTER TABLE eventbus_starts DROP COLUMN accompanied; ALTER TABLE eventbus_failures DROP COLUMN accompanied; "
                + "ALTER TABLE eventbus_failures DROP COLUMN error_type; "
                + "DROP TABLE eventbus_instances; DROP TABLE eventbus_subscriptions; UPDATE eventbus_meta SET value = 1 WHERE name = "
                + "'schema'");
        }

        var upgraded =
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => OpenAsync(File, configure: options => options.BusyTimeout = Patience)));
        Assert.Equal("dead", Assert.Single(await upgraded[0].Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.True(await upgraded[1].Sagas.CreateAsync(Saga("1"), Token));
        Assert.Equal("1", Assert.Single((await upgraded[2].Sagas.ListDueAsync(["trip"], Now, 10, Token)).Entries).Id);
        Assert.Equal(1, await upgraded[0].Sagas.CountAsync(new SagaFilter(), Token));
        Assert.Equal("mail", Assert.Single(await upgraded[1].Subscriptions.RecordAsync("rabbitmq", ["mail"], Now, Token)).Name);
        foreach (var stores in upgraded)
        {
            await stores.DisposeAsync();
        }

        using var after = Connect(File);
        Assert.Equal(6, await RunAsync(after, "SELECT value FROM eventbus_meta WHERE name = 'schema'"));
    }

    [Fact]
    public async Task File_OfTheFourthVersion_GetsSubscriptionsAndKeepsItsData()
    {
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Instances.RecordAsync("a", ["mail"], Now, Lease, Token);
        }

        using (var connection = Connect(File))
        {
            await RunAsync(connection, "DROP TABLE eventbus_subscriptions; ALTER TABLE eventbus_failures DROP COLUMN "
                + "error_type; UPDATE eventbus_meta SET value = 4 WHERE name = 'schema'");
        }

        await using var upgraded = await OpenAsync(File);
        Assert.Equal(("shop", "mail", Now), Assert.Single(await upgraded.Subscriptions.RecordAsync("rabbitmq", ["mail"], Now, Token)));
        Assert.Equal("dead", Assert.Single(await upgraded.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.Equal(2, (await upgraded.Instances.RecordAsync("b", ["mail"], Now, Lease, Token))["mail"]);
    }

    [Fact]
    public async Task File_OfTheFifthVersion_HasNoTypesOfErrorsAndKeepsNewOnes()
    {
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("old") with { ErrorType = "System.IO.IOException" }, Token);
        }

        using (var connection = Connect(File))
        {
            await RunAsync(
                connection,
                "ALTER TABLE eventbus_failures DROP COLUMN error_type; UPDATE eventbus_meta SET value = 5 WHERE name = 'schema'");
        }

        await using var upgraded = await OpenAsync(File);
        await upgraded.Failures.RecordAsync(Dead("new") with { ErrorType = "System.IO.IOException" }, Token);
        var letters = await upgraded.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token);
        Assert.Equal(
            [("new", "System.IO.IOException"), ("old", null)],
            letters.Select(letter => (letter.Envelope.Id, letter.ErrorType)));
    }

    [Fact]
    public async Task Instances_SideBySide_ShareTheWorkWithoutDuplicates()
    {
        const int Count = 200;
        var instances =
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => OpenAsync(File, configure: options => options.BusyTimeout = Patience)));
        await Task.WhenAll(
            Enumerable.Range(0, Count).Select(async i => Assert.True(await instances[i % 3].Failures.RecordAsync(Failed($"{i}"), Token))));
        await Task.WhenAll(Enumerable.Range(0, Count)
            .Select(async i => Assert.False(await instances[(i + 1) % 3].Failures.RecordAsync(Failed($"{i}"), Token))));

        var claimed = await Task.WhenAll(instances.Select(async stores =>
        {
            var mine = new List<FailedEvent>();
            while ((await stores.Failures.ClaimDueAsync(["mail"], Now, Lease, 7, Token)).Entries is { Count: > 0 } entries)
            {
                mine.AddRange(entries);
            }

            return mine;
        }));
        var fencingTokens = await Task.WhenAll(Enumerable.Range(0, 30).Select(
            async i => await instances[i % 3].Processed.ClaimAsync(new ProcessedKey(Key.Subscription, $"{i / 3}"), 0, Now, Lease, Token)));

        Assert.Equal(Count, claimed.SelectMany(mine => mine).Select(entry => entry.Id).Distinct().Count());
        Assert.Equal(Count, claimed.Sum(mine => mine.Count));
        Assert.Equal(10, fencingTokens.Count(claim => claim.State == ProcessedState.New));
        Assert.Equal(10, fencingTokens.Where(claim => claim.FencingToken != 0).Select(claim => claim.FencingToken).Distinct().Count());
        foreach (var stores in instances)
        {
            await stores.DisposeAsync();
        }
    }

    [Fact]
    public async Task Applications_InOneFile_AreSeparate()
    {
        await using var shop = await OpenAsync(File, "shop");
        await using var depot = await OpenAsync(File, "depot");
        await using var apart = await OpenAsync(File, "shop", configure: options => options.TablePrefix = "other_");
        await shop.Failures.RecordAsync(Failed("1"), Token);
        await shop.Delays.AddAsync(Event("1"), Now, Token);
        await shop.Processed.ClaimAsync(Key, 0, Now, Lease, Token);

        foreach (var other in new[] { depot, apart })
        {
            Assert.Empty((await other.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
            Assert.Equal(
                (0, 0, 0),
                (await other.Failures.CountAsync(Token), await other.Delays.CountAsync(Token), await other.Processed.CountAsync(Token)));
            Assert.Equal(ProcessedState.New, (await other.Processed.ClaimAsync(Key, 0, Now, Lease, Token)).State);
            Assert.True(await other.Failures.RecordAsync(Failed("1"), Token));
        }
    }

    [Fact]
    public async Task Stores_Closed_ReportIt()
    {
        var stores = await OpenAsync(File);
        await stores.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stores.Failures.RecordAsync(Failed("1"), Token));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stores.Failures.CountAsync(Token));
    }
}
