using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests the end of sagas: those whose time has passed are removed, and those that cannot be read are kept.
/// </summary>
internal static class SagaLifetimeScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-sweep",
            "A sweep removes ended sagas whose retention has passed, with all their index entries, so that the store stays small and the "
                + "id can be used again.",
            SweepAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-unreadable",
            "A saga that cannot be read is returned with the reason, does not hide others, can be marked and keeps its content, so that an "
                + "operator can repair it.",
            UnreadableAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Sagas, StoreRule.CanCorrupt),
        },
    ];

    private static async Task SweepAsync(StoreRun run)
    {
        foreach (var id in new[] { "a", "b", "c" })
        {
            await run.Sagas.CreateAsync(
                run.Saga(id, 0, status: SagaStatus.Completed) with { KeepUntil = run.In(10), AlertAt = run.Now, WaitKey = "k" },
                default);
        }

        await run.Sagas.CreateAsync(run.Saga("later", status: SagaStatus.Completed) with { KeepUntil = run.In(20) }, default);
        await run.Sagas.CreateAsync(run.Saga("alive", 0) with { AlertAt = run.Now, WaitKey = "k" }, default);
        var first = (await run.Sagas.FindAsync("a", default))!;
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(9.999), 10, default), "the number of sagas that are removed before their time");
        Expect.Equal(
            2,
            await run.Sagas.SweepAsync(run.In(10.001), 2, default),
            "the number of sagas that are removed of three, with a limit of 2");
        Expect.Equal(1, await run.Sagas.SweepAsync(run.In(10.001), 2, default), "the number of sagas that are removed by a second call");
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(10.001), 2, default), "the number of sagas that are left to remove");

        Expect.Equal(null, await run.Sagas.FindAsync("a", default), "a saga that was swept");
        Expect.That(!await run.Sagas.SaveAsync(first, default), "a save of a saga that was swept is refused");
        Expect.Sequence(
            ["alive", "later"],
            (await run.Sagas.ListAsync(new SagaFilter(), default)).Select(entry => entry.Id),
            "the sagas after the sweep, the latest first");
        Expect.Sequence(
            ["alive"],
            (await run.Sagas.ListDueAsync(["trip"], run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that are due after the sweep");
        Expect.Sequence(
            ["alive"],
            (await run.Sagas.ListAlertsAsync(run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that need an alert after the sweep");
        Expect.Sequence(["alive"], await run.Sagas.FindWaitingAsync("k", 10, default), "the sagas that wait after the sweep");
        var all = await run.Sagas.CountAsync(new SagaFilter(), default);
        var completed = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Completed }, default);
        Expect.Equal((2, 1), (all, completed), "the number of sagas after the sweep, and of completed ones");

        Expect.That(await run.Sagas.CreateAsync(run.Saga("a", 0), default), "an id that was swept is created again");
        var again = (await run.Sagas.FindAsync("a", default))!;
        Expect.That(
            again.Version == 1 && again.Number > first.Number,
            $"a saga with the version 1 and a number above {first.Number}",
            again);
        Expect.Equal(
            0,
            await run.Sagas.SweepAsync(run.In(15), 10, default),
            "the number of sagas that are removed after the id was created again");

        // A saga whose retention is extended is kept longer.
        Expect.That(
            await run.Sagas.SaveAsync((await run.Sagas.FindAsync("later", default))! with { KeepUntil = run.In(40) }, default),
            "a later end of the retention is saved");
        Expect.Equal(
            (0, 1),
            (await run.Sagas.SweepAsync(run.In(30), 10, default), await run.Sagas.SweepAsync(run.In(41), 10, default)),
            "the number of sagas that are removed at the earlier end of the retention, and at the later one");
    }

    private static async Task UnreadableAsync(StoreRun run)
    {
        foreach (var (id, seconds) in new[] { ("1", 1), ("2", 2), ("3", 3) })
        {
            await run.Sagas.CreateAsync(run.Saga(id, seconds) with { AlertAt = run.In(seconds), WaitKey = "k" }, default);
        }

        var before = (await run.Sagas.FindAsync("2", default))!;
        await run.Backend.CorruptSagaAsync(run.Isolation, "2", default);
        var listed = await run.Sagas.ListAsync(new SagaFilter { Saga = "trip", Status = SagaStatus.Running }, default);
        var due = await run.Sagas.ListDueAsync(["trip"], run.In(10), 10, default);
        var alerts = await run.Sagas.ListAlertsAsync(run.In(10), 10, default);
        Expect.Sequence(["3", "2", "1"], listed.Select(entry => entry.Id), "the list with a damaged saga");
        Expect.Sequence(["1", "2", "3"], due.Entries.Select(entry => entry.Id), "the sagas that are due with a damaged saga");
        Expect.Sequence(["1", "2", "3"], alerts.Entries.Select(entry => entry.Id), "the sagas that need an alert with a damaged saga");
        Expect.Sequence(["1", "2", "3"], await run.Sagas.FindWaitingAsync("k", 10, default), "the sagas that wait with a damaged saga");
        Expect.Equal(3, await run.Sagas.CountAsync(new SagaFilter(), default), "the count with a damaged saga");
        foreach (var entry in (SagaEntry[])[listed[1], due.Entries[1], alerts.Entries[1], (await run.Sagas.FindAsync("2", default))!])
        {
            Expect.That(
                entry is { Defect.Length: > 0, Content.IsEmpty: true, Saga: "trip" },
                "an entry without content that says its name and its defect",
                entry);
        }

        Expect.That(listed[0].Defect is null && listed[2].Defect is null, "the others have no defect");
        await MarkAsync(run, due.Entries[1], before);
    }

    /// <summary>Acts like the bus: marks the unreadable saga for the operators, and does not retry it.</summary>
    private static async Task MarkAsync(StoreRun run, SagaEntry unreadable, SagaEntry before)
    {
        var marked = unreadable with
        {
            Status = SagaStatus.NeedsAttention,
            Claim = 2,
            DueAt = null,
            AlertAt = null,
            WaitKey = null,
            ChangedAt = run.In(10)
        };
        Expect.That(await run.Sagas.SaveAsync(marked, default), "a saga that cannot be read can be marked");
        Expect.That(!await run.Sagas.SaveAsync(before, default), "a save that is based on the earlier version is refused");
        Expect.Sequence(
            ["1", "3"],
            (await run.Sagas.ListDueAsync(["trip"], run.In(10), 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that are due then");
        Expect.Sequence(
            ["1", "3"],
            (await run.Sagas.ListAlertsAsync(run.In(10), 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that need an alert then");
        Expect.Sequence(
            ["2"],
            (await run.Sagas.ListAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, default)).Select(entry => entry.Id),
            "the sagas that need attention");
        var running = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, default);
        var needAttention = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, default);
        Expect.Equal((2, 1), (running, needAttention), "the numbers of sagas that run, and that need attention");
        var after = await run.Sagas.FindAsync("2", default);
        Expect.That(
            after is { Defect: not null } || after?.Content.Span.SequenceEqual(before.Content.Span) == true,
            "the saga has its content or says its defect",
            after);
    }
}
