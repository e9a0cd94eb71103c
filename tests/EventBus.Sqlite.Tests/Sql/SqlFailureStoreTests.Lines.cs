using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqlFailureStoreTests
{
    [Fact]
    public async Task Line_HeadLeavesTheLine_NextBecomesDue()
    {
        await Failures.RecordAsync(Failed("1", line: "k"), Token);
        await Failures.TryParkAsync(Parked("2", "k"), 10, Token);
        var head = Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
        Assert.Empty((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);

        await Failures.RecordAsync(head with { Status = FailedEventStatus.Dead, LineKey = null }, Token);

        var next = Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
        Assert.Equal(("2", FailedEventStatus.Waiting, 1), (next.Envelope.Id, next.Status, next.Attempts));
    }

    [Fact]
    public async Task Line_DeadLetterInTheMiddle_BlocksInItsTurn()
    {
        await Failures.RecordAsync(Failed("1", line: "k"), Token);
        await Failures.RecordAsync(Dead("2", line: "k"), Token);
        await Failures.TryParkAsync(Parked("3", "k"), 10, Token);
        await Failures.CompleteAsync(Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries), Token);
        Assert.Empty((await Failures.ClaimDueAsync(["mail"], Now.AddDays(1), Lease, 10, Token)).Entries);

        Assert.True(await Failures.DeadLetters.RetryAsync("mail~2", Now, Token));

        Assert.Equal("2", Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries).Envelope.Id);
    }

    [Fact]
    public async Task Retry_OfADeadLetterOfAGap_SkipsTheGapBeforeIt()
    {
        await Failures.AdvanceAsync("mail", "k", 3, Now, Token);
        await Failures.RecordAsync(Dead("9") with { OrderKey = "k", Position = 9, Reason = DeadLetterReason.OutOfOrder }, Token);
        await Failures.RecordAsync(Dead("7") with { OrderKey = "k", Position = 7, Reason = DeadLetterReason.OutOfOrder }, Token);

        await Failures.DeadLetters.RetryAsync("mail~9", Now, Token);
        Assert.Equal(3, (await Failures.GetOrderAsync("mail", "k", Token)).Position);
        await Failures.DeadLetters.RetryAsync("mail~7", Now, Token);

        Assert.Equal(6, (await Failures.GetOrderAsync("mail", "k", Token)).Position);
        Assert.Equal(default, await Failures.GetOrderAsync("mail", "other", Token));
    }

    [Fact]
    public async Task Advance_OfAKey_WakesTheLowestPositionAndEntriesWithoutOne()
    {
        var stamp = (await Failures.GetOrderAsync("mail", "k", Token)).Stamp;
        Assert.Equal(DeferOutcome.Deferred, await Failures.DeferAsync(Deferred("5", 5), stamp, 3, Token));
        Assert.Equal(DeferOutcome.Deferred, await Failures.DeferAsync(Deferred("4", 4), stamp, 3, Token));
        Assert.Equal(DeferOutcome.Deferred, await Failures.DeferAsync(Deferred("0", null), stamp, 3, Token));
        Assert.Equal(DeferOutcome.Full, await Failures.DeferAsync(Deferred("6", 6), stamp, 3, Token));
        Assert.Equal(DeferOutcome.Deferred, await Failures.DeferAsync(Deferred("5", 5), stamp, 3, Token));
        Assert.Equal(DeferOutcome.Changed, await Failures.DeferAsync(Deferred("6", 6), stamp + 1, 3, Token));

        Assert.True(await Failures.AdvanceAsync("mail", "k", 3, Now, Token));

        var entries = (await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries;
        Assert.Equal(["0", "4"], entries.Select(e => e.Envelope.Id).Order());
        Assert.All(entries, e => Assert.Equal(FailedEventStatus.Deferred, e.Status));
        var state = await Failures.GetOrderAsync("mail", "k", Token);
        Assert.Equal((stamp + 1, 3), state);
        Assert.Equal(DeferOutcome.Deferred, await Failures.DeferAsync(entries.Single(e => e.Position == 4), state.Stamp, 3, Token));
        Assert.True(await Failures.AdvanceAsync("mail", "k", 2, Now, Token));
        Assert.Equal((stamp + 2, 3), await Failures.GetOrderAsync("mail", "k", Token));
        Assert.False(await Failures.AdvanceAsync("mail", "unknown", null, Now, Token));
    }
}
