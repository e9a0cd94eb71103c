using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the separation of data: it belongs to one application and one subscription.</summary>
internal static class StoreSeparationScenarios
{
    private static readonly ProcessedKey Done = new("mail", "done");

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "applications-apart",
            "Applications of different names that share a store never see one another's entries, so that one server serves several.",
            ApartAsync) { SkipUnless = StoreRule.Durable },
        new(
            "subscriptions-apart",
            "Subscriptions whose names are made to collide keep their own dead letters, due entries and counts, so that a name chosen "
                + "freely never mixes two of them.",
            SubscriptionsApartAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task SubscriptionsApartAsync(StoreRun run)
    {
        // Parts of keys, names of indexes, and names that differ only in a separator.
        string[] names = ["last", "of", "of.last", "due", "dead", "alerts", "mail", "mail.a", "mail-a", "mail_a", ".", "-", "_", "0"];
        foreach (var name in names)
        {
            await run.RecordAsync(run.Dead("1") with { Subscription = name }, run.Waiting("2") with { Subscription = name });
            await run.ExpectAttemptAsync(2, name, "3", $"the first counted attempt in '{name}'");
        }

        foreach (var name in names)
        {
            var filter = new DeadLetterFilter { Subscription = name };
            Expect.Equal(1, await run.DeadLetters.CountAsync(filter, default), $"the number of dead letters of '{name}'");
            Expect.Sequence(
                [$"{name}~1"],
                (await run.DeadLetters.ListAsync(filter, default)).Select(dead => dead.Id),
                $"the dead letters of '{name}'");
            Expect.Sequence(
                [$"{name}~2"],
                (await run.Failures.ClaimDueAsync([name], run.Now, StoreRun.Lease, 10, default)).Entries.Select(entry => entry.Id),
                $"the entries that are due in '{name}'");
            Expect.That(await run.DeadLetters.DiscardAsync($"{name}~1", default), $"the dead letter of '{name}' is discarded");
        }

        Expect.Equal(0, await run.DeadLetters.CountAsync(new DeadLetterFilter(), default), "the number of dead letters in the end");
        Expect.Equal(0, await run.DeadLetters.SweepAsync(run.In(999), 100, default), "the number of dead letters that are left to remove");
    }

    private static async Task ApartAsync(StoreRun run)
    {
        var other = await run.OpenAsync("another");
        if (other.Failures is KeyedFailureStore failures)
        {
            await FailuresApartAsync(run, failures);
        }

        if (run.Stores.Processed is not null)
        {
            await run.Processed.ClaimAsync(Done, 0, run.Now, StoreRun.Lease, default);
            Expect.Equal(
                ProcessedState.New,
                (await other.Processed!.ClaimAsync(Done, 0, run.Now, StoreRun.Lease, default)).State,
                "the state of a key in another application");
        }

        if (run.Stores.Delays is not null)
        {
            await run.Delays.AddAsync(Sample.Event("1"), run.Now, default);
            Expect.Equal(
                0,
                (await other.Delays!.ClaimDueAsync(run.Now, StoreRun.Lease, 10, default)).Entries.Count,
                "the number of delayed events that another application claims");
        }

        if (run.Stores.Sagas is not null)
        {
            await SagasApartAsync(run, other.Sagas!);
        }
    }

    private static async Task FailuresApartAsync(StoreRun run, KeyedFailureStore other)
    {
        await run.RecordAsync(run.Waiting("1"), run.Dead("2") with { NeedsAlert = true }, run.Waiting("3", 30, "k"));
        await run.Failures.AdvanceAsync("mail", "o", 1, run.Now, default);
        Expect.Equal(0, await other.CountAsync(default), "the number of entries that another application sees");
        Expect.Equal(
            0,
            await other.DeadLetters.CountAsync(new DeadLetterFilter(), default),
            "the number of dead letters that another application sees");
        Expect.Equal(
            0,
            (await other.ClaimDueAsync(["mail"], run.Now, StoreRun.Lease, 10, default)).Entries.Count,
            "the number of entries that another application claims");
        Expect.Equal(
            0,
            (await other.DeadLetters.ClaimAlertsAsync(run.Now, StoreRun.Lease, 10, default)).Entries.Count,
            "the number of alerts that another application claims");
        Expect.Equal(
            ParkOutcome.NotBlocked,
            await other.TryParkAsync(run.Parked("4", "k"), 10, default),
            "the answer to parking in another application");
        Expect.Equal(default, await other.GetOrderAsync("mail", "o", default), "the state of the key in another application");
        Expect.Equal(
            0,
            await other.DeadLetters.SweepAsync(run.In(999), 10, default),
            "the number of dead letters that another application removes");
        Expect.That(await other.RecordAsync(run.Dead("2"), default), "another application keeps the same event for itself");
    }

    private static async Task SagasApartAsync(StoreRun run, SagaStore other)
    {
        var saga = run.Saga("1", 0) with { AlertAt = run.Now, WaitKey = "k", KeepUntil = run.Now };
        await run.Sagas.CreateAsync(saga, default);
        var kept = await run.Sagas.FindAsync("1", default);
        Expect.Equal(null, await other.FindAsync("1", default), "the saga that another application finds");
        Expect.That(!await other.SaveAsync(kept!, default), "another application cannot save a saga");
        Expect.Equal(
            0,
            (await other.ListDueAsync(["trip"], run.Now, 10, default)).Entries.Count,
            "the number of due sagas that another application lists");
        Expect.Equal(
            0,
            (await other.ListAlertsAsync(run.Now, 10, default)).Entries.Count,
            "the number of alerts that another application lists");
        Expect.Equal(
            0,
            (await other.FindWaitingAsync("k", 10, default)).Count,
            "the number of waiting sagas that another application finds");
        Expect.Equal(
            (0, 0),
            ((await other.ListAsync(new SagaFilter(), default)).Count, await other.CountAsync(new SagaFilter(), default)),
            "the number of sagas that another application lists, and counts");
        Expect.Equal(0, await other.SweepAsync(run.In(999), 10, default), "the number of sagas that another application sweeps");
        Expect.That(await other.CreateAsync(saga, default), "another application keeps a saga with the same id for itself");
    }
}
