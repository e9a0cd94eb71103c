using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed partial class SqlFailureStoreTests : IAsyncLifetime
{
    private readonly TestFolder folder = new();
    private TestStores stores = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private KeyedFailureStore Failures => stores.Failures;

    public async ValueTask InitializeAsync() => stores = await OpenAsync(folder["bus.db"]);

    public async ValueTask DisposeAsync()
    {
        await stores.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task Entry_WithAllAttributes_IsReadUnchanged()
    {
        var entry = Dead("1") with
        {
            LineKey = "line",
            OrderKey = "key",
            Position = 7,
            Attempts = 4,
            ManualRetries = 2,
            Deadline = Now.AddDays(1),
            LastFailedAt = Now.AddMinutes(3),
            Reason = DeadLetterReason.OutOfOrder,
            Error = "it's \"broken\" ' ; --",
            ErrorType = "System.IO.IOException",
            ErrorDetails = "at line 1\nat line 2",
            History = [new FailedAttempt(1, Now, "one"), new FailedAttempt(2, Now.AddMinutes(1), "two")],
        };
        Assert.True(await Failures.RecordAsync(entry, Token));

        var kept = (await Failures.DeadLetters.FindAsync(entry.Id, Token))!;

        Assert.Equal(entry.History, kept.History);
        Assert.Equal(entry.Envelope.Body.ToArray(), kept.Envelope.Body.ToArray());
        Assert.Equal(
            (entry.Envelope.Id, entry.Envelope.Name, entry.Envelope.Time),
            (kept.Envelope.Id, kept.Envelope.Name, kept.Envelope.Time));
        Assert.Null(kept.Envelope.Defect);
        Assert.Equal(entry with { Number = 1 }, kept with { Envelope = entry.Envelope, History = entry.History });
    }

    [Fact]
    public async Task RetryAll_ManyLargeBodies_LoadsNone()
    {
        const int Count = 50;
        const int Size = 2 * 1024 * 1024;
        for (var i = 0; i < Count; i++)
        {
            await Failures.RecordAsync(Dead($"{i}") with { Envelope = Event($"{i}", Size) }, Token);
        }

        var before = GC.GetTotalAllocatedBytes(precise: true);
        var retried = await Failures.DeadLetters.RetryAllAsync(new DeadLetterFilter(), Now, Token);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;

        // One entry is loaded to find the end. Other tests run concurrently.
        Assert.Equal(Count, retried);
        Assert.InRange(allocated, 0, Count * Size / 2);
    }

    [Fact]
    public async Task Claim_OfADueEntry_CountsTheAttemptAndReturnsTheNextTime()
    {
        await Failures.RecordAsync(Failed("1"), Token);
        await Failures.RecordAsync(Failed("2", Now.AddSeconds(9)), Token);

        var first = await Failures.ClaimDueAsync(["mail", "other"], Now, Lease, 10, Token);
        var again = await Failures.ClaimDueAsync(["mail"], Now + Lease, Lease, 1, Token);

        Assert.Equal(("1", 2, false), Assert.Single(first.Entries.Select(e => (e.Envelope.Id, e.Attempts, e.WasInterrupted))));
        Assert.Equal(Now.AddSeconds(9), first.NextDue);
        Assert.Equal(("2", 2, false), Assert.Single(again.Entries.Select(e => (e.Envelope.Id, e.Attempts, e.WasInterrupted))));
        Assert.Equal(Now + Lease, again.NextDue);
        var interrupted = Assert.Single((await Failures.ClaimDueAsync(["mail"], Now + Lease, Lease, 10, Token)).Entries);
        Assert.Equal(("1", 2, true), (interrupted.Envelope.Id, interrupted.Attempts, interrupted.WasInterrupted));
        Assert.True(interrupted.Claim > again.Entries[0].Claim);
        Assert.False(await Failures.RecordAsync(first.Entries[0], Token));
        Assert.True(await Failures.RecordAsync(interrupted with { Status = FailedEventStatus.Dead }, Token));
    }

    [Fact]
    public async Task Claim_OfAnEntryThatWasRemovedAndRecordedAgain_IsNotTheOldOne()
    {
        await Failures.RecordAsync(Failed("1"), Token);
        var old = Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
        var taken = Assert.Single((await Failures.ClaimDueAsync(["mail"], Now + Lease, Lease, 10, Token)).Entries);
        await Failures.CompleteAsync(taken, Token);
        await Failures.RecordAsync(Failed("1"), Token);
        await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token);

        await Failures.CompleteAsync(old, Token);

        Assert.Equal(1, await Failures.CountAsync(Token));
        Assert.Equal([old.Id], await Failures.RenewAsync([old], Now + Lease, Token));
    }

    [Fact]
    public async Task DeadLetters_ByAnyFilter_AreListedInPagesAndCounted()
    {
        for (var i = 0; i < 40; i++)
        {
            var dead = Dead($"{i}") with
            {
                Subscription = i % 2 == 0 ? "mail" : "stock",
                Reason = i % 4 == 0 ? DeadLetterReason.Unreadable : DeadLetterReason.HandlerFailed
            };
            Assert.True(await Failures.RecordAsync(dead, Token));
        }

        foreach (var (filter, expected) in new (DeadLetterFilter, int)[]
        {
            (new(), 40),
            (new() { Subscription = "mail" }, 20),
            (new() { Reason = DeadLetterReason.Unreadable }, 10),
            (new() { EventName = "order.placed" }, 40),
            (new() { EventName = "no.such" }, 0),
            (new() { EventId = "3" }, 1),
            (new() { Subscription = "stock", Reason = DeadLetterReason.Unreadable }, 0),
            (new() { EventId = "4", Subscription = "mail", EventName = "order.placed" }, 1),
        })
        {
            Assert.Equal(expected, await Failures.DeadLetters.CountAsync(filter, Token));
            var numbers = new List<long>();
            for (var page = filter with { Take = 7 }; ; page = page with { Before = numbers[^1] })
            {
                var entries = await Failures.DeadLetters.ListAsync(page, Token);
                numbers.AddRange(entries.Select(entry => entry.Number));
                if (entries.Count < 7)
                {
                    break;
                }
            }

            Assert.Equal(expected, numbers.Count);
            Assert.Equal(numbers.OrderDescending(), numbers);
        }
    }

    [Fact]
    public async Task Counts_AfterEveryKindOfChange_EqualTheRows()
    {
        foreach (var number in Enumerable.Range(0, 10))
        {
            await Failures.RecordAsync(number % 2 == 0 ? Dead($"{number}") : Failed($"{number}"), Token);
        }

        await Failures.DeadLetters.DiscardAsync("mail~0", Token);
        await Failures.DeadLetters.RetryAsync("mail~2", Now, Token);
        var claimed = (await Failures.ClaimDueAsync(["mail"], Now, Lease, 4, Token)).Entries;
        await Failures.CompleteAsync(claimed[0], Token);
        await Failures.RecordAsync(claimed[1] with { Status = FailedEventStatus.Dead }, Token);
        Assert.Equal(1, await Failures.DeadLetters.SweepAsync(Now.AddTicks(1), 1, Token));

        using var connection = Connect(folder["bus.db"]);
        Assert.Equal(await RunAsync(connection, "SELECT count(*) FROM eventbus_failures"), await Failures.CountAsync(Token));
        Assert.Equal(
            await RunAsync(connection, "SELECT count(*) FROM eventbus_failures WHERE status = 2"),
            await Failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));
        Assert.Equal(
            await RunAsync(connection, "SELECT count(*) FROM eventbus_failures"),
            await RunAsync(connection, "SELECT count(*) FROM eventbus_failure_contents"));
        Assert.Equal(0, await RunAsync(connection, "SELECT count(*) FROM eventbus_failure_counts WHERE n <= 0"));
    }

    [Fact]
    public async Task Alerts_OldestFirst_AreLeasedAndSettledOnce()
    {
        await Failures.RecordAsync(Dead("1"), Token);
        var first = Assert.Single((await Failures.DeadLetters.ClaimAlertsAsync(Now, Lease, 10, Token)).Entries);
        await Failures.RecordAsync(Dead("2"), Token);
        Assert.Equal(Now + Lease, (await Failures.DeadLetters.ClaimAlertsAsync(Now, Lease, 10, Token)).NextDue);

        var due = (await Failures.DeadLetters.ClaimAlertsAsync(Now + Lease, Lease, 10, Token)).Entries;
        Assert.Equal(["mail~1", "mail~2"], due.Select(alert => alert.Id));
        await Failures.DeadLetters.RetryAsync("mail~1", Now, Token);
        await Failures.RecordAsync(Assert.Single((await Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries) with
        {
            Status = FailedEventStatus.Dead,
            NeedsAlert = true
        }, Token);
        await Failures.DeadLetters.MarkAlertedAsync(due, Token);

        var left = Assert.Single((await Failures.DeadLetters.ClaimAlertsAsync(Now, Lease, 10, Token)).Entries);
        Assert.Equal("mail~1", left.Id);
        Assert.True(left.Number > first.Number);
    }

    [Fact]
    public async Task Attempts_CountedAndDeleted_StartAgain()
    {
        Assert.Equal(2, (await Failures.CountAttemptAsync("mail", "1", new AttemptCount(1, 0), Now, Token))?.Attempts);
        Assert.Equal(3, (await Failures.CountAttemptAsync("mail", "1", new AttemptCount(1, 0), Now, Token))?.Attempts);
        await Failures.ForgetAttemptsAsync("mail", "1", Token);
        Assert.Equal(2, (await Failures.CountAttemptAsync("mail", "1", new AttemptCount(1, 0), Now, Token))?.Attempts);
        await Failures.RecordAsync(Failed("1"), Token);
        Assert.Null(await Failures.CountAttemptAsync("mail", "1", new AttemptCount(1, 0), Now, Token));
    }

    [Fact]
    public async Task Sweep_ManyOldEntries_RemovesThemInBatchesAndNothingElse()
    {
        await Task.WhenAll(Enumerable.Range(0, 450)
            .Select(async i => await Failures.RecordAsync(Dead($"{i}") with { LastFailedAt = i < 430 ? Now : Now.AddDays(1) }, Token)));
        await Task.WhenAll(Enumerable.Range(0, 450)
            .Select(async i => await Failures.AdvanceAsync("mail", $"{i}", 1, i < 430 ? Now : Now.AddDays(1), Token)));
        await Task.WhenAll(Enumerable.Range(0, 450).Select(
            async i => await Failures.CountAttemptAsync("other", $"{i}", new AttemptCount(1, 0), i < 430 ? Now : Now.AddDays(1), Token)));
        await Failures.DeferAsync(Deferred("waits", 2) with { OrderKey = "1" }, 1, 10, Token);
        var before = Now.AddHours(1);

        Assert.Equal(0, await Failures.DeadLetters.SweepAsync(before, 0, Token));
        Assert.Equal(401, await Failures.DeadLetters.SweepAsync(before, 401, Token));
        Assert.Equal(29, await Failures.DeadLetters.SweepAsync(before, 1_000, Token));
        foreach (var max in new[] { 0, 401, 1_000 })
        {
            await Failures.SweepAsync(before, before, max, Token);
        }

        Assert.Equal(20, await Failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));
        using var connection = Connect(folder["bus.db"]);
        Assert.Equal(20, await RunAsync(connection, "SELECT count(*) FROM eventbus_starts"));
        Assert.Equal(21, await RunAsync(connection, "SELECT count(*) FROM eventbus_order_keys"));
    }

    private static FailedEvent Deferred(string id, long? position) =>
        Failed(
            id,
            Now.AddHours(1)) with
        { Status = FailedEventStatus.Deferred, OrderKey = "k", Position = position, Deadline = Now.AddDays(1) };
}
