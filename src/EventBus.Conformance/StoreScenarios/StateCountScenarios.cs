using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the numbers of entries by status, which a store keeps for the metrics.</summary>
internal static class StateCountScenarios
{
    private const string Other = "stock";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "state-counts",
            "The numbers of waiting, parked, deferred and dead entries of each subscription, and the earliest due time, are correct after "
                + "every change, so that metrics and alert rules show the current state without counting the entries.",
            CountsAsync) { SkipUnless = StoreRule.Failures },
        new(
            "state-counts-concurrent",
            "The numbers by status stay correct if several instances make the same changes at the same time and repeat them.",
            ConcurrentAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task CountsAsync(StoreRun run)
    {
        await ExpectAsync(run, run.Failures, "in an empty store", new FailureCounts());
        await run.RecordAsync(
            run.Waiting("1", 10),
            run.Waiting("2", 5, "k"),
            run.Dead("3"),
            run.Dead("4", "l"),
            run.Dead("5") with { Subscription = Other });
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("6", "k"));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("7", "l"));
        await run.Failures.DeferAsync(run.Deferred("8", "o"), 0, 10, default);
        var expected = Counts(waiting: 2, parked: 2, deferred: 1, dead: 2) with { OldestDue = run.In(5) };
        await ExpectAsync(run, run.Failures, "after entries of every status", expected, Counts(dead: 1));
        await ExpectAsync(run, await run.OpenSecondFailureStoreAsync(), "on another instance", expected, Counts(dead: 1));

        // Copies change nothing.
        await run.Failures.RecordAsync(run.Waiting("1", 10), default);
        await run.Failures.RecordAsync(run.Dead("2"), default);
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("6", "k"));
        await run.Failures.DeferAsync(run.Deferred("8", "o"), 0, 10, default);
        await ExpectAsync(run, run.Failures, "after copies", expected, Counts(dead: 1));

        // The head of the line is handled, and the parked entry behind it becomes the head.
        var head = await run.ClaimOneAsync("2", 5);
        await ExpectStatesAsync(run, "while an entry is claimed", Counts(waiting: 2, parked: 2, deferred: 1, dead: 2), Counts(dead: 1));
        await run.Failures.CompleteAsync(head, default);
        await run.Failures.CompleteAsync(head, default);
        expected = Counts(waiting: 1, parked: 2, deferred: 1, dead: 2) with { OldestDue = run.In(10) };
        await ExpectAsync(run, run.Failures, "after the first entry was handled", expected, Counts(dead: 1));

        // The claimed entry that was parked waits now, and fails again.
        var parked = await run.ClaimOneAsync("6", 5);
        await ExpectStatesAsync(
            run, "while a parked entry is claimed", Counts(waiting: 2, parked: 1, deferred: 1, dead: 2), Counts(dead: 1));
        await run.Failures.RecordAsync(parked with { Status = FailedEventStatus.Dead, Attempts = 4 }, default);
        await ExpectAsync(
            run,
            run.Failures,
            "after it became a dead letter",
            Counts(waiting: 1, parked: 1, deferred: 1, dead: 3) with { OldestDue = run.In(10) },
            Counts(dead: 1));

        await OperateAsync(run);
    }

    /// <summary>Retries and discards the dead letters, and lets an order guard continue.</summary>
    private static async Task OperateAsync(StoreRun run)
    {
        Expect.That(await run.DeadLetters.RetryAsync("mail~3", run.In(1), default), "a dead letter is retried", "it was not");
        Expect.That(!await run.DeadLetters.RetryAsync("mail~3", run.In(1), default), "a waiting entry is not retried", "it was");
        await ExpectAsync(
            run,
            run.Failures,
            "after a retry by an operator",
            Counts(waiting: 2, parked: 1, deferred: 1, dead: 2) with { OldestDue = run.In(1) },
            Counts(dead: 1));

        Expect.That(await run.DeadLetters.DiscardAsync("mail~6", default), "a dead letter is discarded", "it was not");
        Expect.That(!await run.DeadLetters.DiscardAsync("mail~6", default), "it is discarded once", "it was discarded twice");
        Expect.Equal(1, await run.DeadLetters.SweepAsync(run.In(1), 1, default), "the number of dead letters that are swept");
        var swept = await run.DeadLetters.CountAsync(new DeadLetterFilter { Subscription = Other }, default) == 0;
        var other = swept ? Counts() : Counts(dead: 1);
        var dead = swept ? 1 : 0;
        await ExpectStatesAsync(run, "after the sweep", Counts(waiting: 2, parked: 1, deferred: 1, dead: dead), other);

        await run.Failures.AdvanceAsync(Sample.Subscription, "o", null, run.In(1), default);
        foreach (var entry in await run.ClaimAsync(20))
        {
            await run.Failures.CompleteAsync(entry, default);
        }

        await ExpectStatesAsync(run, "after all due entries were handled", Counts(parked: swept ? 1 : 0, dead: dead), other);
    }

    private static async Task ConcurrentAsync(StoreRun run)
    {
        const int Count = 30;
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        await EachAsync((store, i) => store.RecordAsync(i % 3 == 0 ? run.Dead($"{i}") : run.Waiting($"{i}"), default).AsTask());
        await ExpectStatesAsync(run, "after both instances recorded the same entries", Counts(waiting: Count * 2 / 3, dead: Count / 3));

        await EachAsync((store, i) => store.DeadLetters.RetryAsync($"mail~{i}", run.Now, default).AsTask());
        await ExpectStatesAsync(run, "after both instances retried all dead letters", Counts(waiting: Count));

        var claimed = await run.ClaimAsync();
        Expect.Equal(Count, claimed.Count, "the number of entries that are due");
        await EachAsync(async (store, i) =>
        {
            if (i % 2 == 0)
            {
                await store.CompleteAsync(claimed[i], default);
            }
            else
            {
                await store.RecordAsync(claimed[i] with { Status = FailedEventStatus.Dead, LastFailedAt = run.Now }, default);
            }
        });
        await ExpectStatesAsync(run, "after both instances settled all entries", Counts(dead: Count / 2));

        await EachAsync((store, i) => store.DeadLetters.DiscardAsync($"mail~{claimed[i].Envelope.Id}", default).AsTask());
        await ExpectStatesAsync(run, "after both instances discarded all dead letters", Counts());

        Task EachAsync(Func<KeyedFailureStore, int, Task> change) =>
            Task.WhenAll(Enumerable.Range(0, Count).SelectMany(i => instances.Select(store => change(store, i))));
    }

    private static FailureCounts Counts(long waiting = 0, long parked = 0, long deferred = 0, long dead = 0) =>
        new() { Waiting = waiting, Parked = parked, Deferred = deferred, Dead = dead };

    /// <summary>Expects numbers without the due time, which the stores count differently for a claimed entry.</summary>
    private static async Task ExpectStatesAsync(StoreRun run, string when, FailureCounts mail, FailureCounts? other = null)
    {
        var counted = await ReadAsync(run.Failures);
        Expect.Equal(mail, Of(counted, Sample.Subscription) with { OldestDue = null }, $"the numbers of '{Sample.Subscription}' {when}");
        Expect.Equal(other ?? Counts(), Of(counted, Other) with { OldestDue = null }, $"the numbers of '{Other}' {when}");
    }

    private static async Task ExpectAsync(
        StoreRun run, KeyedFailureStore store, string when, FailureCounts mail, FailureCounts? other = null)
    {
        var counted = await ReadAsync(store);
        Expect.Equal(
            mail == default ? Counts() : mail,
            Of(counted, Sample.Subscription),
            $"the numbers of '{Sample.Subscription}' {when}, {run.Now:O} being the start");
        Expect.Equal(other ?? Counts(), Of(counted, Other), $"the numbers of '{Other}' {when}");
    }

    private static async Task<IReadOnlyList<FailureCounts>> ReadAsync(KeyedFailureStore store) =>
        await store.CountByStateAsync(default) ?? throw Expect.Failure("the numbers by status", "they are not known");

    /// <summary>Returns the numbers of a subscription; zeros if the store has no entries of it.</summary>
    private static FailureCounts Of(IReadOnlyList<FailureCounts> counted, string subscription)
    {
        var found = counted.Where(counts => counts.Subscription == subscription).ToList();
        Expect.That(found.Count <= 1, $"the numbers of '{subscription}' are returned once", found.Count);
        return found.Count == 0 ? Counts() : found[0] with { Subscription = null };
    }
}
