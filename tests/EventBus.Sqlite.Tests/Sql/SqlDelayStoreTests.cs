using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed class SqlDelayStoreTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Event_NotRemovedInTime_IsDueAgainAndCounted()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"]);
        await stores.Delays.AddAsync(Event("1"), Now, Token);
        await stores.Delays.AddAsync(Event("1"), Now.AddDays(1), Token);
        await stores.Delays.AddAsync(Event("2"), Now.AddSeconds(5), Token);

        var first = await stores.Delays.ClaimDueAsync(Now, Lease, 10, Token);
        Assert.Equal("1", Assert.Single(first.Entries).Id);
        Assert.Equal(Now.AddSeconds(5), first.NextDue);
        Assert.Equal(1, await stores.Delays.CountDueAsync(Now, Token));
        Assert.Equal(["2", "1"], (await stores.Delays.ClaimDueAsync(Now + Lease, Lease, 10, Token)).Entries.Select(e => e.Id));
        await stores.Delays.RemoveAsync(first.Entries[0], Token);

        Assert.Equal(1, await stores.Delays.CountAsync(Token));
        Assert.Equal(1, await stores.Delays.CountDueAsync(Now, Token));
    }

    [Fact]
    public async Task Event_AtTheEndOfTime_DoesNotOverflow()
    {
        using var folder = new TestFolder();
        await using var stores = await OpenAsync(folder["bus.db"]);
        await stores.Delays.AddAsync(Event("1"), DateTimeOffset.MaxValue, Token);

        var due = await stores.Delays.ClaimDueAsync(DateTimeOffset.MaxValue, TimeSpan.MaxValue, 10, Token);

        Assert.Single(due.Entries);
        Assert.Equal(DateTimeOffset.MaxValue, due.NextDue);
    }
}
