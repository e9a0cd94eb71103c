using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests alerts: operators receive an alert for each dead letter that requires one.</summary>
internal static class AlertScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "alerts-in-order",
            "Alerts come once, the oldest first, until they are sent or their lease ends, so that each alert is sent at least once.",
            InOrderAsync) { SkipUnless = StoreRule.Failures },
        new(
            "alert-of-another-death",
            "An alert that is marked as sent covers the dead letter that it reported, and not a later one of the same event, so that every "
                + "dead letter is reported.",
            AnotherDeathAsync) { SkipUnless = StoreRule.Failures },
        new(
            "alerts-at-once",
            "Two instances that claim alerts at the same time never get the same alert, and together they get all alerts, so that each "
                + "alert is sent once.",
            AtOnceAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task InOrderAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Dead("1") with { NeedsAlert = true },
            run.Dead("2"),
            run.Dead("3") with { NeedsAlert = true, Envelope = Sample.Event("3", "invoice.paid") },
            run.Dead("4") with { NeedsAlert = true });
        var first = await ClaimAsync(0, 2, "1", "3");
        var third = await run.DeadLetters.FindAsync("mail~3", default);
        Expect.Equal(new PendingAlert("mail~3", third!.Number, "mail", "invoice.paid"), first[1], "the alert");
        await ClaimAsync(0, 2, "4");
        await ClaimAsync(59, 2);

        // The alert of 1 is sent. The leases of the others end at 60 s.
        await run.DeadLetters.MarkAlertedAsync([first[0]], default);
        await run.RecordAsync(run.Dead("5") with { NeedsAlert = true });
        var again = await ClaimAsync(61, 10, "3", "4", "5");
        await run.DeadLetters.MarkAlertedAsync(again, default);
        await run.DeadLetters.MarkAlertedAsync([.. first, new PendingAlert("mail~gone", 99, "mail", "order.placed")], default);
        await ClaimAsync(10_000, 10);
        Expect.That(
            await run.DeadLetters.FindAsync("mail~3", default) is { NeedsAlert: false },
            "a dead letter that no longer needs an alert");
        await run.ExpectDeadAsync(["5", "4", "3", "2", "1"], "after all alerts were sent");

        async Task<IReadOnlyList<PendingAlert>> ClaimAsync(double at, int max, params string[] expected)
        {
            var claimed = (await run.DeadLetters.ClaimAlertsAsync(run.In(at), StoreRun.Lease, max, default)).Entries;
            Expect.Sequence(
                expected.Select(id => $"mail~{id}"),
                claimed.Select(alert => alert.Id),
                $"the alerts that are claimed after {at} s, at most {max}");
            return claimed;
        }
    }

    private static async Task AnotherDeathAsync(StoreRun run)
    {
        await run.RecordAsync(run.Dead("1") with { NeedsAlert = true }, run.Dead("2") with { NeedsAlert = true });
        var first = (await run.DeadLetters.ClaimAlertsAsync(run.Now, StoreRun.Lease, 10, default)).Entries;
        Expect.Equal(2, first.Count, "the number of alerts");

        // Between the sending and the mark, one event is retried and becomes a dead letter again, and the other is
        // discarded.
        await run.DeadLetters.RetryAsync("mail~1", run.Now, default);
        await run.Failures.RecordAsync(await run.ClaimOneAsync("1") with { Status = FailedEventStatus.Dead, NeedsAlert = true }, default);
        await run.DeadLetters.DiscardAsync("mail~2", default);
        await run.DeadLetters.MarkAlertedAsync(first, default);

        var second = (await run.DeadLetters.ClaimAlertsAsync(run.In(61), StoreRun.Lease, 10, default)).Entries;
        Expect.Sequence(["mail~1"], second.Select(alert => alert.Id), "the alerts of the event that became a dead letter again");
        Expect.That(second[0].Number > first[0].Number, $"a number above {first[0].Number}", second[0].Number);
    }

    private static async Task AtOnceAsync(StoreRun run)
    {
        const int Count = 120;
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        await run.RecordAsync([.. Enumerable.Range(0, Count).Select(i => run.Dead($"{i}") with { NeedsAlert = true })]);
        var claimed = await Task.WhenAll(Enumerable.Range(0, 30)
            .Select(i => instances[i % 2].DeadLetters.ClaimAlertsAsync(run.Now, StoreRun.Lease, 7, default).AsTask()));
        var ids = claimed.SelectMany(batch => batch.Entries).Select(alert => alert.Id).ToList();
        Expect.Equal(
            (Count, Count),
            (ids.Count, ids.Distinct().Count()),
            "the number of alerts that two instances received, and of different ones");
    }
}
