using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

public sealed class InMemoryStoreTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private readonly InMemoryFailureStore failures = new(capacity: 100);
    private readonly InMemoryDelayStore delays = new(capacity: 2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claim_OfDueEntries_CountsTheAttemptAndReturnsTheNextTime()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now), Token);
        await failures.RecordAsync(Failed("2", dueAt: Now.AddSeconds(9)), Token);

        var claimed = await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token);

        Assert.Equal(("1", 2), Assert.Single(claimed.Entries.Select(e => (e.Envelope.Id, e.Attempts))));
        Assert.Equal(Now.AddSeconds(9), claimed.NextDue);
        Assert.Empty((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
        Assert.Equal(1, await failures.CountDueAsync(Now, Token));
    }

    [Fact]
    public async Task Line_HeadFails_OthersWaitAndFollowInOrder()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now, line: "k"), Token);
        foreach (var id in new[] { "2", "3" })
        {
            Assert.Equal(ParkOutcome.Parked, await failures.TryParkAsync(Parked(id, "k"), 2, Token));
        }

        Assert.Equal(ParkOutcome.LineFull, await failures.TryParkAsync(Parked("4", "k"), 2, Token));
        Assert.Equal(ParkOutcome.NotBlocked, await failures.TryParkAsync(Parked("5", "other"), 2, Token));
        foreach (var id in new[] { "1", "2", "3" })
        {
            var head = Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
            Assert.Equal(id, head.Envelope.Id);
            Assert.Equal(ParkOutcome.Parked, await failures.TryParkAsync(Parked($"behind-{id}", "k"), 10, Token));
            await failures.CompleteAsync(head, Token);
        }
    }

    [Fact]
    public async Task Line_HeadIsADeadLetter_BlocksUntilDiscarded()
    {
        await failures.RecordAsync(Failed("1", line: "k") with { Status = FailedEventStatus.Dead }, Token);
        await failures.TryParkAsync(Parked("2", "k"), 10, Token);
        Assert.Empty((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);

        Assert.True(await failures.DeadLetters.DiscardAsync("mail~1", Token));

        Assert.Equal("2", Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries).Envelope.Id);
    }

    [Fact]
    public async Task Discard_BehindARunningHead_StartsNothingTwice()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now, line: "k"), Token);
        await failures.RecordAsync(
            Failed("2", line: "k") with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.KeyBlocked },
            Token);
        Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);

        Assert.True(await failures.DeadLetters.DiscardAsync("mail~2", Token));

        Assert.Empty((await failures.ClaimDueAsync(["mail"], Now.AddDays(1), Lease, 10, Token)).Entries);
    }

    [Theory]
    [InlineData(FailedEventStatus.Dead)]
    [InlineData(FailedEventStatus.Waiting)]
    public async Task Park_OfAParkedEvent_ChangesNothing(FailedEventStatus status)
    {
        await failures.RecordAsync(Failed("1", dueAt: Now, line: "k") with { Status = status }, Token);
        var claimed = (await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries.Count;

        Assert.Equal(ParkOutcome.Parked, await failures.TryParkAsync(Parked("1", "k"), 10, Token));

        Assert.Empty((await failures.ClaimDueAsync(["mail"], Now.AddDays(1), Lease, 10, Token)).Entries);
        Assert.Equal(1, await failures.CountAsync(Token));
        Assert.Equal(1 - claimed, await failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));
    }

    [Fact]
    public async Task Claim_OfOneSubscription_DoesNotClaimThoseOfOthers()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now), Token);
        await failures.RecordAsync(Failed("2", dueAt: Now) with { Subscription = "stock" }, Token);

        var claimed = await failures.ClaimDueAsync(["stock"], Now, Lease, 10, Token);

        Assert.Equal("stock", Assert.Single(claimed.Entries).Subscription);
        Assert.Null(claimed.NextDue);
    }

    [Fact]
    public async Task Retry_OfADeadLetter_IsDueAtOnceWithAllRetries()
    {
        await failures.RecordAsync(Failed("1") with { Status = FailedEventStatus.Dead, Attempts = 4 }, Token);

        Assert.True(await failures.DeadLetters.RetryAsync("mail~1", Now, Token));
        Assert.False(await failures.DeadLetters.RetryAsync("mail~1", Now, Token));

        Assert.Equal(1, Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries).Attempts);
    }

    [Fact]
    public async Task Record_SameEventAgain_ChangesNothing()
    {
        Assert.True(await failures.RecordAsync(Failed("1", dueAt: Now), Token));

        Assert.False(await failures.RecordAsync(Failed("1") with { Status = FailedEventStatus.Dead }, Token));

        Assert.Equal(0, await failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));
        Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
    }

    [Fact]
    public async Task Record_OfAClaimedEntry_ReplacesItOnce()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now), Token);
        var claimed = Assert.Single((await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
        var dead = claimed with { Status = FailedEventStatus.Dead };

        Assert.True(await failures.RecordAsync(dead, Token));
        Assert.False(await failures.RecordAsync(dead, Token));

        Assert.Equal(1, await failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));
        Assert.Equal(["mail~1"], await failures.RenewAsync([claimed], Now + Lease, Token));
    }

    [Fact]
    public async Task Renew_LongAfterTheLease_StillBelongsToTheCaller()
    {
        await failures.RecordAsync(Failed("1", dueAt: Now), Token);
        var claimed = (await failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries;

        Assert.Empty((await failures.ClaimDueAsync(["mail"], Now + (10 * Lease), Lease, 10, Token)).Entries);
        Assert.Empty(await failures.RenewAsync(claimed, Now, Token));
    }

    [Fact]
    public async Task Record_Full_FailsAndNamesTheFix()
    {
        var small = new InMemoryFailureStore(capacity: 1);
        await small.RecordAsync(Failed("1"), Token);

        var exception = await Assert.ThrowsAsync<StoreRefusedException>(async () => await small.RecordAsync(Failed("2"), Token));

        Assert.Contains("StoreCapacity", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CountAttempt_Full_FailsAndNamesTheFix()
    {
        var small = new InMemoryFailureStore(capacity: 1);
        await small.CountAttemptAsync("mail", "1", new AttemptCount(1, 0), Now, Token);

        var exception = await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await small.CountAttemptAsync("mail", "2", new AttemptCount(1, 0), Now, Token));

        Assert.Contains("StoreCapacity", exception.Message, StringComparison.Ordinal);
        await small.ForgetAttemptsAsync("mail", "1", Token);
        Assert.Equal(2, (await small.CountAttemptAsync("mail", "2", new AttemptCount(1, 0), Now, Token))?.Attempts);
    }

    [Fact]
    public async Task Advance_Full_FailsUntilOldKeysAreSwept()
    {
        var small = new InMemoryFailureStore(capacity: 1);
        await small.AdvanceAsync("mail", "a", 1, Now, Token);

        var exception = await Assert.ThrowsAsync<StoreRefusedException>(async () => await small.AdvanceAsync("mail", "b", 1, Now, Token));

        Assert.Contains("StoreCapacity", exception.Message, StringComparison.Ordinal);
        await small.AdvanceAsync("mail", "a", 2, Now, Token);
        await small.SweepAsync(Now, Now.AddSeconds(1), 10, Token);
        await small.AdvanceAsync("mail", "b", 1, Now, Token);
        Assert.Equal((1L, 1L), await small.GetOrderAsync("mail", "b", Token));
    }

    [Fact]
    public async Task Processed_Full_FailsUntilTheRetentionEnds()
    {
        var processed = new InMemoryProcessedEventStore(capacity: 1);
        var first = await processed.ClaimAsync(new ProcessedKey("mail", "1"), 0, Now, Lease, Token);
        await processed.CompleteAsync(new ProcessedKey("mail", "1"), first.FencingToken, new Completion([], [], Now.AddDays(1)), Token);

        var exception = await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await processed.ClaimAsync(new ProcessedKey("mail", "2"), 0, Now, Lease, Token));

        Assert.Contains("StoreCapacity", exception.Message, StringComparison.Ordinal);
        Assert.Contains("retention", exception.Message, StringComparison.Ordinal);
        Assert.Equal(1, await processed.SweepAsync(Now.AddDays(1), 10, Token));
        Assert.Equal(ProcessedState.New, (await processed.ClaimAsync(new ProcessedKey("mail", "2"), 0, Now, Lease, Token)).State);
    }

    [Fact]
    public async Task Delay_NotRemovedInTime_IsDueAgain()
    {
        await delays.AddAsync(Event("1"), Now, Token);
        await delays.AddAsync(Event("1"), Now, Token);

        Assert.Single((await delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries);
        Assert.Empty((await delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries);
        var again = Assert.Single((await delays.ClaimDueAsync(Now + Lease, Lease, 10, Token)).Entries);
        Assert.Equal(1, await delays.CountDueAsync(Now, Token));
        await delays.RemoveAsync(again, Token);

        Assert.Empty((await delays.ClaimDueAsync(Now + (10 * Lease), Lease, 10, Token)).Entries);
        Assert.Equal(0, await delays.CountDueAsync(Now, Token));
    }

    [Fact]
    public async Task Delay_Full_FailsAndNamesTheFix()
    {
        await delays.AddAsync(Event("1"), Now, Token);
        await delays.AddAsync(Event("2"), Now, Token);

        Assert.Contains(
            "StoreCapacity",
            (await Assert.ThrowsAsync<InvalidOperationException>(async () => await delays.AddAsync(Event("3"), Now, Token))).Message,
            StringComparison.Ordinal);
    }

    private static FailedEvent Failed(string id, DateTimeOffset dueAt = default, string? line = null) => new()
    {
        Subscription = "mail",
        Envelope = Event(id),
        Status = FailedEventStatus.Waiting,
        DueAt = dueAt,
        Attempts = 1,
        LineKey = line,
    };

    private static FailedEvent Parked(string id, string line) =>
        Failed(id, line: line) with { Status = FailedEventStatus.Parked, Attempts = 0 };

    private static Envelope Event(string id) => new(new EnvelopeAttributes { Id = id, Name = "order.placed" }, []);
}
