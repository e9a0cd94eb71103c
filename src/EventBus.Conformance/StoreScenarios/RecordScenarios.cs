using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Tests the storing of failed events: an entry is stored completely and once, and only the owner of its claim may
/// change it.
/// </summary>
internal static class RecordScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "failed-event-round-trip",
            "A failed event is stored and returned completely, with any attributes, key and body, so that a retry handles the event that "
                + "was published.",
            RoundTripAsync) { SkipUnless = StoreRule.Failures },
        new(
            "failed-entry-round-trip",
            "The data that the bus records about a failed event is returned unchanged, so that operators and retries see what happened.",
            EntryRoundTripAsync) { SkipUnless = StoreRule.Failures },
        new(
            "kept-once",
            "A second copy of a stored event changes nothing, in any status of the first copy, so that a redelivery neither repeats work "
                + "nor retries a dead letter.",
            KeptOnceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "copies-at-once",
            "If copies of an event fail at the same time on two instances, exactly one is stored, so that an event has one series of "
                + "retries.",
            CopiesAtOnceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "claimed-record",
            "The owner of a claim replaces the entry once, and the claim ends, so that a retry and its outcome are one step.",
            ClaimedRecordAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task RoundTripAsync(StoreRun run)
    {
        foreach (var envelope in Sample.Envelopes)
        {
            await run.RecordAsync(
                run.Dead("-") with { Envelope = envelope, LineKey = envelope.Key },
                run.Waiting("-") with { Envelope = envelope, Subscription = "stock" });
            var found = await run.DeadLetters.FindAsync(FailedEvent.MakeId(Sample.Subscription, envelope.Id), default);
            ExpectSame(envelope, found?.Envelope, "found as a dead letter");
            Expect.Equal(envelope.Key, found!.LineKey, "the line key of what was found");
        }

        var letters = await run.DeadLetters.ListAsync(new DeadLetterFilter { Take = 1_000 }, default);
        var listed = letters.ToDictionary(dead => dead.Envelope.Id);
        var due = await run.Failures.ClaimDueAsync(["stock"], run.Now, StoreRun.Lease, 1_000, default);
        var claimed = due.Entries.ToDictionary(entry => entry.Envelope.Id);
        foreach (var envelope in Sample.Envelopes)
        {
            ExpectSame(envelope, listed.GetValueOrDefault(envelope.Id)?.Envelope, "listed as a dead letter");
            ExpectSame(envelope, claimed.GetValueOrDefault(envelope.Id)?.Envelope, "claimed");
            Expect.That(
                await run.DeadLetters.DiscardAsync(FailedEvent.MakeId(Sample.Subscription, envelope.Id), default),
                $"the dead letter of '{envelope.Id}' is discarded by its id");
            await run.Failures.CompleteAsync(claimed[envelope.Id], default);
        }

        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after all were discarded or completed");
    }

    private static async Task EntryRoundTripAsync(StoreRun run)
    {
        var full = run.Dead("1", "line", DeadLetterReason.OutOfOrder) with
        {
            OrderKey = "order",
            Position = long.MaxValue - 1,
            Attempts = 3,
            ManualRetries = 2,
            DueAt = run.In(7.123),
            Deadline = run.In(3_600.5),
            FirstFailedAt = run.In(-100),
            LastFailedAt = run.In(-1.001),
            Error = "Grüße: \"failed\" 😀",
            ErrorDetails = new string('x', 8_192),
            History = [.. Enumerable.Range(1, FailedEvent.MaxHistory)
                .Select(attempt => new FailedAttempt(attempt, run.In(attempt - 100), $"attempt {attempt} 😀"))],
            NeedsAlert = true,
        };
        var bare = run.Dead("2") with { Error = null, OrderKey = "" };
        var waiting = run.Waiting("3", line: "line of 3") with
        {
            ManualRetries = 1,
            Reason = DeadLetterReason.PermanentFailure,
            History = [new FailedAttempt(1, run.Now, "one")],
            OrderKey = "order",
            Position = -5
        };
        await run.RecordAsync(full, bare, waiting);

        foreach (var entry in new[] { full, bare })
        {
            var found = await run.DeadLetters.FindAsync(entry.Id, default);
            Expect.Equal(Sample.Describe(entry), Sample.Describe(found), $"the dead letter {entry.Id}");
        }

        var claimed = await run.ClaimOneAsync("3");
        Expect.Equal(2, claimed.Attempts, "the attempts of a claimed entry that had one");
        Expect.Equal(
            Sample.Describe(waiting),
            Sample.Describe(claimed with { Attempts = 1 }),
            "the claimed entry, apart from its attempts");
    }

    private static async Task KeptOnceAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("waiting", 30), run.Waiting("claimed", line: "k"), run.Dead("dead"));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("parked", "k"));
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("deferred", "o"), 0, 10, default),
            "the first deferral");
        var claimed = await run.ClaimOneAsync("claimed");

        foreach (var id in new[] { "waiting", "claimed", "dead", "parked", "deferred" })
        {
            Expect.That(!await run.Failures.RecordAsync(run.Waiting(id), default), $"a second copy of what is {id} is not kept as waiting");
            Expect.That(!await run.Failures.RecordAsync(run.Dead(id), default), $"a second copy of what is {id} is not kept as dead");

            // An event that is stored already counts as deferred, but its entry does not change.
            Expect.Equal(
                DeferOutcome.Deferred,
                await run.Failures.DeferAsync(run.Deferred(id, "other", due: 0), 0, 10, default),
                $"the answer to deferring a second copy of what is {id}");
        }

        Expect.Equal(5, await run.Failures.CountAsync(default), "the number of entries after copies of all were refused");
        await run.ExpectDeadAsync(["dead"], "after copies of all were refused");
        await run.ExpectDueAsync([], "after copies of all were refused");
        await run.Failures.CompleteAsync(claimed, default);
        await run.ExpectDueAsync(["parked"], "after the claim was completed, which the copy did not end");
        await run.ExpectDueAsync(["waiting"], "30 s later", 30);
    }

    private static async Task CopiesAtOnceAsync(StoreRun run)
    {
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        for (var i = 0; i < 40; i++)
        {
            var entry = run.Waiting($"{i}");
            var kept = await Task.WhenAll(Enumerable.Range(0, 4).Select(copy => instances[copy % 2].RecordAsync(entry, default).AsTask()));
            Expect.Equal(1, kept.Count(stored => stored), "the number of stored copies of four that are recorded at once");
        }

        Expect.Equal(40, await run.Failures.CountAsync(default), "the number of entries");
    }

    private static async Task ClaimedRecordAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1"));
        var claimed = await run.ClaimOneAsync("1");
        var again = claimed with { DueAt = run.In(30), Error = "It failed again.", LastFailedAt = run.In(1) };
        Expect.That(await run.Failures.RecordAsync(again, default), "the owner replaces its entry");
        Expect.That(
            !await run.Failures.RecordAsync(again with { Status = FailedEventStatus.Dead }, default),
            "a second record under the same claim is refused");
        await run.ExpectDueAsync([], "before the new time", 29);

        claimed = await run.ClaimOneAsync("1", 30);
        Expect.Equal(
            (3, "It failed again.", run.In(1), 0L, false),
            (claimed.Attempts, claimed.Error, claimed.LastFailedAt, claimed.Number, claimed.WasInterrupted),
            "the entry when it is due again");
        Expect.That(await run.Failures.RecordAsync(
            claimed with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.PermanentFailure },
            default), "the owner makes its entry a dead letter");
        await run.ExpectDueAsync([], "after it became a dead letter", 1_000);
        var dead = await run.DeadLetters.FindAsync(claimed.Id, default);
        Expect.That(
            dead is { Attempts: 3, Number: > 0, Reason: DeadLetterReason.PermanentFailure },
            "a dead letter with 3 attempts, a number and its reason",
            dead);
    }

    private static void ExpectSame(Envelope expected, Envelope? actual, string what) =>
        Expect.Equal(
            Sample.Describe(expected),
            Sample.Describe(actual),
            $"the event '{expected.Id}' when {what}");
}
