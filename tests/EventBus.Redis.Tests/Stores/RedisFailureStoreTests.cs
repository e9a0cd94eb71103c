using EventBus.Stores;

namespace EventBus.Redis.Tests;

public sealed class RedisFailureStoreTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claim_OfARecordedEntry_ReturnsAllOfIt()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var kept = TestStores.Waiting(
            "p-1",
            "key~with~tildes") with
        { OrderKey = "", Position = -5, Deadline = TestStores.Now.AddTicks(9), ManualRetries = 2 };

        Assert.True(await stores.RecordAsync(kept));
        Assert.False(await stores.RecordAsync(kept));
        var claimed = Assert.Single(await stores.ClaimAsync());

        Assert.Equal(kept with { Attempts = 2, Claim = claimed.Claim, Envelope = claimed.Envelope, History = claimed.History }, claimed);
        Assert.True(claimed.Claim > 0);
        Assert.Equal(kept.History, claimed.History);
        Assert.Equal(("p-1", "parcel.sent", 2, "key~with~tildes", "flow", TestStores.Now.AddTicks(7)), Parts(claimed.Envelope));
        Assert.Equal("röd", claimed.Envelope.Headers["Colour"]);
        Assert.Equal(kept.Envelope.Body.ToArray(), claimed.Envelope.Body.ToArray());
        Assert.Empty(await stores.ClaimAsync());
        Assert.Equal(1, await stores.Failures.CountDueAsync(TestStores.Now, Token));

        await stores.Failures.CompleteAsync(claimed, Token);
        Assert.Equal(0, await stores.Failures.CountAsync(Token));
        Assert.Equal(0, await stores.Failures.CountDueAsync(TestStores.Now, Token));
    }

    [Fact]
    public async Task Claim_NotSettledInTime_IsTakenOverAndMarked()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Waiting("p-1"));
        var first = Assert.Single(await stores.ClaimAsync());
        Assert.Empty(await stores.Failures.RenewAsync([first], TestStores.Now + (2 * TestStores.Lease), Token));
        Assert.Empty(await stores.ClaimAsync(TestStores.Now + TestStores.Lease));

        var second = Assert.Single(await stores.ClaimAsync(TestStores.Now + (2 * TestStores.Lease)));

        Assert.Equal((false, true), (first.WasInterrupted, second.WasInterrupted));
        Assert.Equal(first.Attempts, second.Attempts);
        Assert.True(second.Claim > first.Claim);
        Assert.Equal([first.Id], await stores.Failures.RenewAsync([first, second], TestStores.Now + (3 * TestStores.Lease), Token));
        await stores.Failures.CompleteAsync(first, Token);
        Assert.False(await stores.RecordAsync(first));
        Assert.True(await stores.RecordAsync(second with { DueAt = TestStores.Now }));
        Assert.False(Assert.Single(await stores.ClaimAsync()).WasInterrupted);
    }

    [Fact]
    public async Task Line_OfAKey_ContinuesOnlyWhenItsHeadLeaves()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var parked = TestStores.Waiting("p-2", "k") with { Status = FailedEventStatus.Parked, Attempts = 0 };
        Assert.Equal(ParkOutcome.NotBlocked, await stores.Failures.TryParkAsync(parked, 1, Token));
        await stores.RecordAsync(TestStores.Waiting("p-1", "k"));
        Assert.Equal(ParkOutcome.Parked, await stores.Failures.TryParkAsync(parked, 1, Token));
        Assert.Equal(ParkOutcome.Parked, await stores.Failures.TryParkAsync(parked, 1, Token));
        var third = parked with { Envelope = TestStores.Event("p-3", "k") };
        Assert.Equal(ParkOutcome.LineFull, await stores.Failures.TryParkAsync(third, 1, Token));
        await stores.RecordAsync(TestStores.Dead("p-3", "k"));
        await stores.RecordAsync(TestStores.Waiting("other", "k2"));

        var heads = await stores.ClaimAsync();
        Assert.Equal(["other", "p-1"], heads.Select(entry => entry.Envelope.Id).Order());
        var head = heads.Single(entry => entry.LineKey == "k");
        Assert.True(await stores.RecordAsync(head with { Status = FailedEventStatus.Dead }));
        Assert.Empty(await stores.ClaimAsync(TestStores.Now.AddDays(1))
            .ContinueWith(claimed => claimed.Result.Where(entry => entry.LineKey == "k"), TaskScheduler.Default));
        Assert.True(await stores.Failures.DeadLetters.DiscardAsync(head.Id, Token));

        var second = Assert.Single(await stores.ClaimAsync());
        Assert.Equal("p-2", second.Envelope.Id);
        await stores.Failures.CompleteAsync(second, Token);
        Assert.Empty(await stores.ClaimAsync());
        Assert.True(await stores.Failures.DeadLetters.RetryAsync("mail~p-3", TestStores.Now, Token));
        var retried = Assert.Single(await stores.ClaimAsync());
        Assert.Equal(("p-3", 1, 1), (retried.Envelope.Id, retried.Attempts, retried.ManualRetries));
        await stores.Failures.CompleteAsync(retried, Token);
        Assert.Equal(ParkOutcome.NotBlocked, await stores.Failures.TryParkAsync(parked, 1, Token));
    }

    [Fact]
    public async Task DeadLetters_Many_AreListedInPagesByNumber()
    {
        const int Count = 130;
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var number in Enumerable.Range(0, Count))
        {
            await stores.RecordAsync(TestStores.Dead($"p-{number}", subscription: number % 2 == 0 ? "mail" : "print") with
            {
                Reason = number % 10 == 0 ? DeadLetterReason.TooLarge : DeadLetterReason.Unreadable,
            });
        }

        var first = await stores.ListAsync(new DeadLetterFilter { Take = 100 });
        var rest = await stores.ListAsync(new DeadLetterFilter { Take = 100, Before = first[^1].Number });

        Assert.Equal(
            Enumerable.Range(0, Count).Reverse().Select(number => $"p-{number}"),
            first.Concat(rest).Select(entry => entry.Envelope.Id));
        Assert.Equal(Count / 2, (await stores.ListAsync(new DeadLetterFilter { Subscription = "print" })).Count);
        Assert.Equal(Count / 10, (await stores.ListAsync(new DeadLetterFilter { Reason = DeadLetterReason.TooLarge })).Count);
        Assert.Equal(Count, await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter { EventName = "parcel.sent" }, Token));
        Assert.Equal(0, await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter { EventName = "parcel.lost" }, Token));
        Assert.Equal("print~p-7", Assert.Single(await stores.ListAsync(new DeadLetterFilter { EventId = "p-7" })).Id);
        Assert.Equal(
            1,
            await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter { EventId = "p-7", Subscription = "print" }, Token));
        Assert.Equal(
            0,
            await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter { EventId = "p-7", Subscription = "mail" }, Token));

        Assert.Equal(Count - 1, await stores.Failures.DeadLetters.SweepAsync(TestStores.Now, Count - 1, Token));
        Assert.Equal(1, await stores.Failures.DeadLetters.SweepAsync(TestStores.Now, Count, Token));
        Assert.Equal(0, await stores.Failures.CountAsync(Token));
    }

    [Fact]
    public async Task Alerts_Claimed_AreDueAgainUntilTheyAreSettled()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Dead("p-1"));
        await stores.RecordAsync(TestStores.Dead("p-2"));

        var claimed = await stores.Failures.DeadLetters.ClaimAlertsAsync(TestStores.Now, TestStores.Lease, 10, Token);

        Assert.Equal(["mail~p-1", "mail~p-2"], claimed.Entries.Select(alert => alert.Id));
        Assert.Equal(TestStores.Now + TestStores.Lease, claimed.NextDue);
        Assert.Empty((await stores.Failures.DeadLetters.ClaimAlertsAsync(TestStores.Now, TestStores.Lease, 10, Token)).Entries);
        await stores.Failures.DeadLetters.MarkAlertedAsync([claimed.Entries[0], claimed.Entries[1] with { Number = 0 }], Token);
        var again = Assert.Single(
            (await stores.Failures.DeadLetters.ClaimAlertsAsync(TestStores.Now + TestStores.Lease, TestStores.Lease, 10, Token)).Entries);
        Assert.Equal(claimed.Entries[1], again);
        Assert.Equal([true, false], (await stores.ListAsync()).Select(entry => entry.NeedsAlert));
    }

    [Fact]
    public async Task OrderKey_Advanced_WakesTheLowestPositionAndEntriesWithoutOne()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var later = TestStores.Now + TestStores.Lease;
        Assert.Equal(default, await stores.Failures.GetOrderAsync("mail", "k", Token));
        Assert.False(await stores.Failures.AdvanceAsync("mail", "k", 3, TestStores.Now, Token));
        var order = await stores.Failures.GetOrderAsync("mail", "k", Token);
        Assert.Equal(3, order.Position);
        Assert.Equal(DeferOutcome.Changed, await stores.Failures.DeferAsync(Deferred("p-5", 5), 0, 2, Token));
        Assert.Equal(DeferOutcome.Deferred, await stores.Failures.DeferAsync(Deferred("p-5", 5), order.Stamp, 2, Token));
        Assert.Equal(DeferOutcome.Deferred, await stores.Failures.DeferAsync(Deferred("p-6", 6), order.Stamp, 2, Token));
        Assert.Equal(DeferOutcome.Full, await stores.Failures.DeferAsync(Deferred("p", null), order.Stamp, 2, Token));
        Assert.Equal(DeferOutcome.Deferred, await stores.Failures.DeferAsync(Deferred("p", null), order.Stamp, 3, Token));
        Assert.Empty(await stores.ClaimAsync());

        Assert.True(await stores.Failures.AdvanceAsync("mail", "k", -1, TestStores.Now, Token));

        var woken = await stores.ClaimAsync();
        Assert.Equal(["p", "p-5"], woken.Select(entry => entry.Envelope.Id).Order());
        Assert.Equal(3, (await stores.Failures.GetOrderAsync("mail", "k", Token)).Position);
        Assert.All(woken, entry => Assert.Equal(FailedEventStatus.Deferred, entry.Status));

        var lost =
            woken.Single(entry => entry.Position == 5) with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.OutOfOrder };
        Assert.True(await stores.RecordAsync(lost));
        Assert.True(await stores.Failures.DeadLetters.RetryAsync(lost.Id, TestStores.Now, Token));
        Assert.Equal(4, (await stores.Failures.GetOrderAsync("mail", "k", Token)).Position);

        await stores.Failures.SweepAsync(TestStores.Now, later, 10, Token);
        Assert.NotEqual(0, (await stores.Failures.GetOrderAsync("mail", "k", Token)).Stamp);

        FailedEvent Deferred(string id, long? position) =>
            TestStores.Waiting(id) with
            {
                Status = FailedEventStatus.Deferred,
                OrderKey = "k",
                Position = position,
                DueAt = later,
                Deadline = later
            };
    }

    [Fact]
    public async Task Attempts_Counted_AreDeletedWhenTheEventIsRecordedHandledOrOld()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        Assert.Equal(2, await CountAsync("p-1"));
        Assert.Equal(3, await CountAsync("p-1"));
        Assert.Equal(2, await CountAsync("p-2"));

        await stores.RecordAsync(TestStores.Waiting("p-1"));
        Assert.Null(await CountAsync("p-1"));
        await stores.Failures.CompleteAsync(Assert.Single(await stores.ClaimAsync()), Token);
        Assert.Equal(2, await CountAsync("p-1"));

        await stores.Failures.ForgetAttemptsAsync("mail", "p-1", Token);
        Assert.Equal(2, await CountAsync("p-1"));
        await stores.Failures.SweepAsync(TestStores.Now.AddTicks(100), TestStores.Now, 10, Token);
        Assert.Equal(2, await CountAsync("p-2"));

        async Task<int?> CountAsync(string id) =>
            (await stores.Failures.CountAttemptAsync("mail", id, new AttemptCount(1, 0), TestStores.Now, Token))?.Attempts;
    }

    private static (string Id, string Name, int Version, string? Key, string Correlation, DateTimeOffset Time) Parts(
        Transports.Envelope envelope) =>
        (envelope.Id, envelope.Name, envelope.Version, envelope.Key, envelope.CorrelationId, envelope.Time);
}
