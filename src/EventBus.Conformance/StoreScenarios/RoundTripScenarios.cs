using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests that a failed event and its entry are returned as they were stored.</summary>
internal static class RoundTripScenarios
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
            ErrorType = "System.IO.IOException",
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
            Expect.Equal(Description.Of(entry), Description.Of(found), $"the dead letter {entry.Id}");
        }

        var claimed = await run.ClaimOneAsync("3");
        Expect.Equal(2, claimed.Attempts, "the attempts of a claimed entry that had one");
        Expect.Equal(
            Description.Of(waiting),
            Description.Of(claimed with { Attempts = 1 }),
            "the claimed entry, apart from its attempts");
    }

    private static void ExpectSame(Envelope expected, Envelope? actual, string what) =>
        Expect.Equal(
            Description.Of(expected),
            Description.Of(actual),
            $"the event '{expected.Id}' when {what}");
}
