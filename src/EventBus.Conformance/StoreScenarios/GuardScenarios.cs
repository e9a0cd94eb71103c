using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests order guards: the state of their keys, and the events that wait for them.</summary>
internal static class GuardScenarios
{
    private const string Key = "order-1";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "order-state",
            "The stamp of a key increases with every settled event, and its position never decreases, so that a guard always sees the "
                + "current state.",
            StateAsync) { SkipUnless = StoreRule.Failures },
        new(
            "deferred-events",
            "An event that a guard defers is stored unless its key has changed or is full, so that a guard never decides on outdated "
                + "state.",
            DeferAsync) { SkipUnless = StoreRule.Failures },
        new(
            "deferred-again",
            "An entry that is claimed for another evaluation can be deferred again, also at the limit of its key, so that waiting does not "
                + "count twice.",
            DeferAgainAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task StateAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        Expect.Equal(default, await run.Failures.GetOrderAsync("mail", Key, default), "the state of a key before an event was settled");
        await run.Failures.AdvanceAsync("mail", Key, null, run.Now, default);
        var stamp = (await run.Failures.GetOrderAsync("mail", Key, default)).Stamp;
        Expect.That(stamp > 0, "a stamp above 0 after an event was settled", stamp);

        // The number of a settled event, and the position of the key after it.
        foreach (var (number, position) in new (long, long)[]
        {
            (5, 5),
            (3, 5),
            (5, 5),
            (Sample.Huge, Sample.Huge),
            (Sample.Huge + 1, Sample.Huge + 1),
            (Sample.Huge, Sample.Huge + 1),
            (long.MaxValue - 1, long.MaxValue - 1)
        })
        {
            await other.AdvanceAsync("mail", Key, number, run.Now, default);
            stamp = await ExpectAsync(stamp + 1, position);
        }

        await run.Failures.AdvanceAsync("mail", Key, null, run.Now, default);
        await ExpectAsync(stamp + 1, long.MaxValue - 1);
        foreach (var (subscription, key) in Sample.UnusualKeys.Select(key => ("stock", key)).Append(("stock", "")).Append(("mail", "")))
        {
            Expect.Equal(default, await run.Failures.GetOrderAsync(subscription, key, default), $"the state of the unknown key '{key}'");
            await run.Failures.AdvanceAsync(subscription, key, -7, run.Now, default);
            Expect.Equal(-7, (await run.Failures.GetOrderAsync(subscription, key, default)).Position, $"the position of the key '{key}'");
        }

        async Task<long> ExpectAsync(long minStamp, long? position)
        {
            var state = await run.Failures.GetOrderAsync("mail", Key, default);
            Expect.Equal(position, state.Position, "the position of the key");
            Expect.That(state.Stamp >= minStamp, $"a stamp of {minStamp} or more", state.Stamp);
            return state.Stamp;
        }
    }

    private static async Task DeferAsync(StoreRun run)
    {
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("1", Key, due: 30), 0, 2);
        await run.Failures.AdvanceAsync("mail", Key, 1, run.Now, default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("1"), default);
        var current = (await run.Failures.GetOrderAsync("mail", Key, default)).Stamp;
        await ExpectAsync(DeferOutcome.Changed, run.Deferred("2", Key, due: 30), 0, 2);
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after a deferral with an old stamp");

        await run.Failures.CountAttemptAsync("mail", "2", new AttemptCount(1, 0), run.Now, default);
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("2", Key, due: 30), current, 2);
        await run.ExpectAttemptAsync(null, "mail", "2", "the attempt of an event that is deferred");
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("3", Key, due: 20), current, 2);
        await ExpectAsync(DeferOutcome.Full, run.Deferred("4", Key), current, 2);
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("4", "another key"), 0, 2);
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("4", Key) with { Subscription = "stock" }, 0, 2);
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("5", ""), 0, 2);

        // An entry that is already stored does not change, whatever the stamp and the limit are.
        await ExpectAsync(DeferOutcome.Deferred, run.Deferred("2", Key, due: 0), current - 1, 0);
        await run.ExpectDueAsync([], "before an event is due", 19);
        await run.ExpectDueAsync(["3"], "when 3 is due", 20);
        await run.ExpectDueAsync(["2"], "when 2 is due", 30);

        async Task ExpectAsync(DeferOutcome expected, FailedEvent entry, long stamp, int limit) =>
            Expect.Equal(
                expected,
                await run.Failures.DeferAsync(entry, stamp, limit, default),
                $"the answer to deferring {entry.Id} with the stamp {stamp} and a limit of {limit}");
    }

    private static async Task DeferAgainAsync(StoreRun run)
    {
        await run.Failures.DeferAsync(run.Deferred("1", Key, 7, 10), 0, 1, default);
        var claimed = await run.ClaimOneAsync("1", 10);
        Expect.Equal(
            (run.In(3600), 7L, Key),
            (claimed.Deadline, claimed.Position, claimed.OrderKey),
            "deadline, position and key of a deferred entry that was claimed");
        var again = claimed with { Status = FailedEventStatus.Deferred, Attempts = claimed.Attempts - 1, DueAt = run.In(20) };
        Expect.Equal(
            DeferOutcome.Changed,
            await run.Failures.DeferAsync(again, 99, 1, default),
            "the answer to deferring it with another stamp");
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(again, 0, 1, default),
            "the answer to deferring it again, alone at a key with a limit of 1");
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(again with { DueAt = run.Now }, 0, 1, default),
            "the answer to the same call again, whose claim has ended");
        await run.ExpectDueAsync([], "before its new time", 19);
        claimed = await run.ClaimOneAsync("1", 20);
        Expect.Equal(
            (1, false),
            (claimed.Attempts, claimed.WasInterrupted),
            "attempts and interruption of an entry that was evaluated twice and not attempted");

        // An entry that failed before may be deferred later.
        await run.Failures.CompleteAsync(claimed, default);
        await run.RecordAsync(run.Waiting("2") with { OrderKey = Key });
        claimed = await run.ClaimOneAsync("2");
        Expect.Equal(
            DeferOutcome.Full,
            await run.Failures.DeferAsync(run.Deferred("2", Key) with { Claim = claimed.Claim }, 0, 0, default),
            "the answer to deferring a retry where no event may wait");
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("2", Key, due: 5) with { Claim = claimed.Claim }, 0, 1, default),
            "the answer to deferring a retry");
        await run.ClaimOneAsync("2", 5);
    }
}
