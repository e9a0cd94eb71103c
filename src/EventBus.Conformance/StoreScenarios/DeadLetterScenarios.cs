using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests what happens to dead letters: retry, discard, retention, and entries that cannot be read.</summary>
internal static class DeadLetterScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "dead-letter-due-again",
            "A retried dead letter is due once and at once, with all retries available again and its history, so that a fixed handler gets "
                + "every attempt.",
            RetryDeadAsync) { SkipUnless = StoreRule.Failures },
        new(
            "dead-letter-discard",
            "A dead letter is discarded once, and no other entry can be discarded, so that operators decide which events are dropped.",
            DiscardAsync) { SkipUnless = StoreRule.Failures },
        new(
            "retried-or-discarded-once",
            "If one operator retries a dead letter and another discards it at the same time, one of them succeeds, so that a discarded "
                + "event never runs.",
            OnceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "dead-letter-retention",
            "Dead letters whose last failure is before a time are removed in the same way as discarded ones, up to a maximum number, and "
                + "no others, so that a store does not grow without limit.",
            SweepAsync) { SkipUnless = StoreRule.Failures },
        new(
            "attempts-retention",
            "Attempt counts are removed by the time of the last attempt, so that a store does not grow without limit.",
            SweepAttemptsAsync) { SkipUnless = StoreRule.Failures },
        new(
            "damaged-entry",
            "An entry that cannot be read is returned as a placeholder and does not hide other entries, so that one damaged record affects "
                + "one event.",
            DamagedAsync) { SkipUnless = StoreRule.All(StoreRule.Failures, StoreRule.CanCorrupt) },
    ];

    private static async Task RetryDeadAsync(StoreRun run)
    {
        FailedAttempt[] history = [new(3, run.In(-2), "third"), new(4, run.In(-1), "fourth")];
        await run.RecordAsync(run.Dead("1", reason: DeadLetterReason.PermanentFailure) with
        {
            History = history,
            Deadline = run.In(-1),
            NeedsAlert = true,
            ManualRetries = 1
        });
        Expect.That(!await run.DeadLetters.RetryAsync("mail~2", run.Now, default), "a retry of an unknown dead letter is refused");
        Expect.That(await run.DeadLetters.RetryAsync("mail~1", run.In(5), default), "the dead letter is retried");
        Expect.That(!await run.DeadLetters.RetryAsync("mail~1", run.In(5), default), "a second retry is refused");
        await run.ExpectDeadAsync([], "after the retry");
        await run.ExpectDueAsync([], "before the time of the retry", 4.9);

        var retried = await run.ClaimOneAsync("1", 5);
        Expect.That(!await run.DeadLetters.RetryAsync("mail~1", run.In(5), default), "a retry of a running event is refused");
        Expect.Equal(
            (1, 2, null, 0L, DeadLetterReason.PermanentFailure, "It failed."),
            (retried.Attempts, retried.ManualRetries, retried.Deadline, retried.Number, retried.Reason, retried.Error),
            "attempts, manual retries, deadline, number, reason and error of a retried entry");
        Expect.Sequence(history, retried.History, "the history of a retried entry");
        Expect.That(
            await run.Failures.RecordAsync(retried with { Status = FailedEventStatus.Dead }, default),
            "the event becomes a dead letter again");
        Expect.That(
            await run.DeadLetters.FindAsync("mail~1", default) is { ManualRetries: 2, Number: > 1 },
            "a dead letter with its manual retries and a higher number");
    }

    private static async Task DiscardAsync(StoreRun run)
    {
        await run.RecordAsync(run.Dead("1"), run.Waiting("2"), run.Waiting("3", 30));
        await run.ClaimOneAsync("2");
        Expect.That(await run.DeadLetters.DiscardAsync("mail~1", default), "the dead letter is discarded");
        foreach (var id in new[] { "mail~1", "mail~2", "mail~3", "nonsense" })
        {
            Expect.That(!await run.DeadLetters.DiscardAsync(id, default), $"a discard of {id} is refused");
        }

        Expect.Equal(2, await run.Failures.CountAsync(default), "the number of entries that are left");
        await run.ExpectDeadAsync([], "after the discard");
        await run.RecordAsync(run.Dead("1"));
        await run.ExpectDeadAsync(["1"], "after the event failed again");
    }

    private static async Task OnceAsync(StoreRun run)
    {
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        for (var i = 0; i < 30; i++)
        {
            var letter = run.Dead($"{i}");
            await run.RecordAsync(letter);
            var retries = Enumerable.Range(0, 4)
                .Select(call => instances[call % 2].DeadLetters.RetryAsync(letter.Id, run.Now, default).AsTask())
                .ToList();
            var discards = Enumerable.Range(0, 2)
                .Select(call => instances[call].DeadLetters.DiscardAsync(letter.Id, default).AsTask())
                .ToList();
            var retried = (await Task.WhenAll(retries)).Count(succeeded => succeeded);
            var discarded = (await Task.WhenAll(discards)).Count(succeeded => succeeded);
            Expect.Equal(1, retried + discarded, "the number that succeeded of four retries and two discards at the same time");
            Expect.Equal(
                retried,
                (await run.ClaimAsync()).Count,
                $"the number of entries that are due after {retried} retries and {discarded} discards");
        }
    }

    private static async Task SweepAsync(StoreRun run)
    {
        await run.RecordAsync([.. Enumerable.Range(0, 6)
            .Select(i => run.Dead($"{i}") with { FirstFailedAt = run.In(-1_000), LastFailedAt = run.In(-i), NeedsAlert = true })]);
        await run.RecordAsync(
            run.Waiting("old and waiting", 30) with { LastFailedAt = run.In(-1_000) },
            run.Dead("head", "k") with { LastFailedAt = run.In(-1_000) });
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("parked", "k"));
        Expect.Equal(0, await SweepAsync(-9_999, 100), "the number of entries that are removed while all are younger");
        Expect.Equal(2, await SweepAsync(-2.5, 2), "the number of entries that are removed with a limit of 2");
        Expect.Equal(2, await SweepAsync(-2.5, 100), "the number of entries that are left to remove");
        Expect.Equal(0, await SweepAsync(-2.5, 100), "the number of entries that are left to remove after that");
        await run.ExpectDeadAsync(["2", "1", "0"], "after the sweep");
        await run.ExpectDueAsync(["parked"], "after the dead head of its line was swept");
        Expect.Sequence(
            ["mail~0", "mail~1", "mail~2"],
            (await run.DeadLetters.ClaimAlertsAsync(run.Now, StoreRun.Lease, 10, default)).Entries.Select(alert => alert.Id),
            "the alerts after the sweep");
        Expect.Equal(5, await run.Failures.CountAsync(default), "the number of entries after the sweep");

        Task<int> SweepAsync(double before, int max) => run.DeadLetters.SweepAsync(run.In(before), max, default).AsTask();
    }

    private static async Task SweepAttemptsAsync(StoreRun run)
    {
        await run.Failures.CountAttemptAsync("mail", "old", new AttemptCount(1, 0), run.In(-20), default);
        await run.Failures.CountAttemptAsync("mail", "again", new AttemptCount(1, 0), run.In(-20), default);
        await run.Failures.CountAttemptAsync("mail", "again", new AttemptCount(1, 0), run.In(-5), default);
        await run.Failures.SweepAsync(run.In(-10), run.In(-9_999), 100, default);
        await run.ExpectAttemptAsync(2, "mail", "old", "the first attempt that is counted after the sweep");
        await run.ExpectAttemptAsync(4, "mail", "again", "the third counted attempt of an event that was counted recently");
    }

    private static async Task DamagedAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Dead("1"),
            run.Dead("2") with { History = [new FailedAttempt(1, run.Now, "one")] },
            run.Dead("3"),
            run.Waiting("4", -3),
            run.Waiting("5", -2),
            run.Waiting("6", -1));
        await run.Backend.CorruptAsync(run.Isolation, "mail~2", default);
        await run.Backend.CorruptAsync(run.Isolation, "mail~5", default);

        var listed = await run.DeadLetters.ListAsync(new DeadLetterFilter(), default);
        Expect.Sequence(["mail~3", "mail~2", "mail~1"], listed.Select(dead => dead.Id), "the list with a damaged dead letter");
        Expect.That(
            listed[1].Envelope.Defect is { Length: > 0 } && listed[0].Envelope.Defect is null,
            "a placeholder with a defect, and another entry without one",
            string.Join(", ", listed.Select(dead => dead.Envelope.Defect)));
        Expect.That(
            (await run.DeadLetters.FindAsync("mail~2", default))?.Envelope.Defect is { Length: > 0 },
            "a placeholder with a defect is found");
        Expect.Equal(3, await run.DeadLetters.CountAsync(new DeadLetterFilter(), default), "the count with a damaged dead letter");
        var claimed = await run.ClaimAsync();
        Expect.Sequence(["mail~4", "mail~5", "mail~6"], claimed.Select(entry => entry.Id), "the claimed entries with a damaged entry");
        Expect.That(claimed[1].Envelope.Defect is { Length: > 0 }, "a placeholder with a defect");

        Expect.That(await run.Failures.RecordAsync(
            claimed[1] with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable },
            default), "the placeholder is recorded as dead");
        Expect.That(await run.DeadLetters.RetryAsync("mail~2", run.Now, default), "the damaged dead letter is retried");
        Expect.That((await run.ClaimOneAsync("2")).Envelope.Defect is { Length: > 0 }, "a placeholder with a defect");
        Expect.That(await run.DeadLetters.DiscardAsync("mail~5", default), "the placeholder is discarded");
    }
}
