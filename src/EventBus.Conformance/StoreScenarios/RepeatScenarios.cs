using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests repeated claims: a claim that is repeated because its answer was lost is held for a whole lease from the
/// repeat.
/// </summary>
internal static class RepeatScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "repeated-claim-handled",
            "A claim of a key that is repeated because its answer was lost holds for a whole lease from the repeat, so that no outage "
                + "lets two copies run side by side.",
            HandledAsync) { SkipUnless = StoreRule.Processed },
        new(
            "repeated-claim-due",
            "A claim of what is due that is repeated because its answer was lost holds for a whole lease from the repeat, so that no "
                + "outage lets two copies run side by side.",
            DueAsync) { SkipUnless = StoreRule.Failures },
        new(
            "repeated-claim-alerts",
            "A claim of alerts that is repeated because its answer was lost holds for a whole lease from the repeat, so that two "
                + "instances do not send the same alert at once.",
            AlertsAsync) { SkipUnless = StoreRule.Failures },
        new(
            "repeated-claim-delayed",
            "A claim of delayed events that is repeated because its answer was lost holds for a whole lease from the repeat, so that two "
                + "instances do not publish the same event at once.",
            DelayedAsync) { SkipUnless = StoreRule.Delays },
    ];

    private static async Task HandledAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Processed!;
        for (var i = 0; i < 10; i++)
        {
            foreach (var at in LostAnswer.RepeatTimes)
            {
                var key = new ProcessedKey("mail", $"{i} {at}");
                await LostAnswer.ClaimAndCancelAsync(i, token => run.Processed.ClaimAsync(key, 1, run.Now, StoreRun.Lease, token).AsTask());
                var repeated = await run.Processed.ClaimAsync(key, 1, run.In(at), StoreRun.Lease, default);
                if (repeated.State == ProcessedState.New)
                {
                    Expect.Equal(
                        ProcessedState.InProgress,
                        (await other.ClaimAsync(key, 1, run.In(at + 59), StoreRun.Lease, default)).State,
                        $"the state of a key {at + 59} s after the first claim, whose repeat was granted after {at} s");
                    Expect.That(
                        await run.Processed.RenewAsync(key, repeated.FencingToken, run.In(at + 119), default),
                        $"the claim that was repeated after {at} s is renewed");
                    Expect.Equal(
                        ProcessedState.InProgress,
                        (await other.ClaimAsync(key, 1, run.In(at + 118), StoreRun.Lease, default)).State,
                        "the state of a key after the renewal");
                }
                else
                {
                    Expect.That(at < 60, "a claim after the lease of the first is granted", $"{repeated.State} after {at} s");
                }

                // A store may grant one repeat of a claim. A further call is that of a copy of the event.
                var copy = await run.Processed.ClaimAsync(key, 1, run.In(at), StoreRun.Lease, default);
                Expect.Equal(ProcessedState.InProgress, copy.State, $"the state of a key that is claimed once more after {at} s");
            }
        }
    }

    private static async Task DueAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        for (var i = 0; i < 4; i++)
        {
            foreach (var at in LostAnswer.RepeatTimes)
            {
                var subscription = $"mail-{i}-{at}";
                await run.RecordAsync(
                    run.Waiting("1") with { Subscription = subscription },
                    run.Waiting("2") with { Subscription = subscription });
                await LostAnswer.ClaimAndCancelAsync(
                    i,
                    token => run.Failures.ClaimDueAsync([subscription], run.Now, StoreRun.Lease, 10, token).AsTask());
                var repeated = (await run.Failures.ClaimDueAsync([subscription], run.In(at), StoreRun.Lease, 10, default)).Entries;
                var early = (await other.ClaimDueAsync([subscription], run.In(at + 59), StoreRun.Lease, 10, default)).Entries;
                Expect.Sequence(
                    [],
                    repeated.Select(entry => entry.Id).Intersect(early.Select(entry => entry.Id)),
                    $"the entries that another instance claims {at + 59} s after the first claim, whose repeat was granted after {at} s");
                Expect.Sequence(
                    [],
                    await run.Failures.RenewAsync(repeated, run.In(at + 119), default),
                    $"the claims that are lost, of those that were repeated after {at} s");
                if (at > 60 && run.Stores.Durable)
                {
                    Expect.Equal(2, repeated.Count, "the number of entries that are claimed after the lease of the first claim");
                }
            }
        }
    }

    private static async Task AlertsAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        await run.RecordAsync(run.Dead("1") with { NeedsAlert = true }, run.Dead("2") with { NeedsAlert = true });
        for (var i = 0; i < 4; i++)
        {
            // Each round begins after all claims of the one before have expired. The four rounds combine both times of
            // the repeat with both ways to cancel.
            var from = i * 300;
            await LostAnswer.ClaimAndCancelAsync(
                i,
                token => run.DeadLetters.ClaimAlertsAsync(run.In(from), StoreRun.Lease, 10, token).AsTask());
            var at = from + LostAnswer.RepeatTimes[i / 2];
            var repeated = (await run.DeadLetters.ClaimAlertsAsync(run.In(at), StoreRun.Lease, 10, default)).Entries;
            var early = (await other.DeadLetters.ClaimAlertsAsync(run.In(at + 59), StoreRun.Lease, 10, default)).Entries;
            Expect.Sequence(
                [],
                repeated.Select(alert => alert.Id).Intersect(early.Select(alert => alert.Id)),
                $"the entries that another instance claims {at + 59} s after the start, where a repeat was granted after {at} s");
        }
    }

    private static async Task DelayedAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Delays!;
        await run.Delays.AddAsync(Sample.Event("1"), run.Now, default);
        await run.Delays.AddAsync(Sample.Event("2"), run.Now, default);
        for (var i = 0; i < 4; i++)
        {
            // Each round begins after all claims of the one before have expired. The four rounds combine both times of
            // the repeat with both ways to cancel.
            var from = i * 300;
            await LostAnswer.ClaimAndCancelAsync(i, token => run.Delays.ClaimDueAsync(run.In(from), StoreRun.Lease, 10, token).AsTask());
            var at = from + LostAnswer.RepeatTimes[i / 2];
            var repeated = (await run.Delays.ClaimDueAsync(run.In(at), StoreRun.Lease, 10, default)).Entries;
            var early = (await other.ClaimDueAsync(run.In(at + 59), StoreRun.Lease, 10, default)).Entries;
            Expect.Sequence(
                [],
                repeated.Select(envelope => envelope.Id).Intersect(early.Select(envelope => envelope.Id)),
                $"the entries that another instance claims {at + 59} s after the start, where a repeat was granted after {at} s");
        }
    }
}
