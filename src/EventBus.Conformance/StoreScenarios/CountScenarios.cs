using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests counts: of the attempts of an event, of entries, and of due entries.</summary>
internal static class CountScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "counted-attempts",
            "Attempts are counted for each event and subscription until the event is handled or stored as failed, so that an event that "
                + "ends its process is detected.",
            CountedAttemptsAsync) { SkipUnless = StoreRule.Failures },
        new(
            "concurrent-attempts",
            "An attempt during which another suspicious event ran is counted separately on every instance, so that an event does not "
                + "become a dead letter because of a crash that another event caused.",
            ConcurrentAttemptsAsync) { SkipUnless = StoreRule.Failures },
        new(
            "entry-counts",
            "The store counts its entries and those that are due, including claimed entries, so that a bus can find out whether it is "
                + "idle.",
            CountsAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task CountedAttemptsAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        await run.ExpectAttemptAsync(2, "mail", "1", "the first attempt that is counted");
        await run.ExpectAttemptAsync(3, "mail", "1", "the next one, on another instance", other);
        await run.ExpectAttemptAsync(2, "stock", "1", "the first one of another subscription");
        await run.ExpectAttemptAsync(2, "mail", "2", "the first one of another event");
        await run.Failures.ForgetAttemptsAsync("mail", "1", default);
        await run.Failures.ForgetAttemptsAsync("mail", "never counted", default);
        await run.ExpectAttemptAsync(2, "mail", "1", "the first one after the event was handled");
        await run.ExpectAttemptAsync(3, "stock", "1", "the second one of the other subscription");

        await run.RecordAsync(run.Dead("1"));
        await run.ExpectAttemptAsync(null, "mail", "1", "the attempt of an event that is stored as an entry");
        await run.DeadLetters.DiscardAsync("mail~1", default);
        await run.ExpectAttemptAsync(2, "mail", "1", "the first one after the entry was discarded, because recording removed the count");

        KeyedFailureStore[] instances = [run.Failures, other];
        var counted = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            instances[i % 2].CountAttemptAsync("mail", "at once", new AttemptCount(1, 0), run.Now, default).AsTask()));
        Expect.Sequence(
            Enumerable.Range(2, 20),
            counted.Select(count => count?.Attempts ?? 0).Order(),
            "the numbers of 20 attempts at once");
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries: counted attempts are not entries");
    }

    private static async Task ConcurrentAttemptsAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        Expect.Equal<AttemptCount?>(
            new AttemptCount(1, 0),
            await CountAsync(run.Failures, default),
            "the count of an event without attempts");
        Expect.Equal<AttemptCount?>(
            new AttemptCount(1, 0),
            await CountAsync(other, new AttemptCount(0, 1)),
            "the count after a concurrent attempt of an event without attempts");
        Expect.Equal<AttemptCount?>(
            new AttemptCount(2, 0),
            await CountAsync(run.Failures, new AttemptCount(1, 0)),
            "the first attempt that is counted");
        Expect.Equal<AttemptCount?>(
            new AttemptCount(2, 1),
            await CountAsync(other, new AttemptCount(0, 1)),
            "the count after that attempt became a concurrent one");
        Expect.Equal<AttemptCount?>(new AttemptCount(3, 2), await CountAsync(run.Failures, new AttemptCount(1, 1)), "a concurrent attempt");
        Expect.Equal<AttemptCount?>(new AttemptCount(3, 2), await CountAsync(other, default), "the count that another instance reads");
        await run.Failures.ForgetAttemptsAsync("mail", "1", default);
        Expect.Equal<AttemptCount?>(new AttemptCount(1, 0), await CountAsync(other, default), "the count after the event was handled");

        ValueTask<AttemptCount?> CountAsync(KeyedFailureStore store, AttemptCount added) =>
            store.CountAttemptAsync("mail", "1", added, run.Now, default);
    }

    private static async Task CountsAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Waiting("1"),
            run.Waiting("2", 30),
            run.Dead("3"),
            run.Waiting("4", 10, "k"),
            run.Waiting("5") with { Subscription = "stock" });
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("6", "k"));
        await run.Failures.DeferAsync(run.Deferred("7", "o", due: 40), 0, 10, default);
        await ExpectAsync(7, 2, 3, 4, 5);

        var claimed = await run.ClaimOneAsync("1");
        await ExpectAsync(7, 2, 3, 4, 5);
        await run.Failures.CompleteAsync(claimed, default);
        await ExpectAsync(6, 1, 2, 3, 4);

        // Expects the number of all entries, and of those that are due after 0, 10, 30 and 40 s.
        async Task ExpectAsync(long all, params long[] due)
        {
            Expect.Equal(all, await run.Failures.CountAsync(default), "the number of entries");
            foreach (var (seconds, expected) in new[] { 0, 10, 30, 40 }.Zip(due))
            {
                Expect.Equal(
                    expected,
                    await run.Failures.CountDueAsync(run.In(seconds), default),
                    $"the number of entries that are due after {seconds} s");
            }
        }
    }
}
