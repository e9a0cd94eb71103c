using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the lifetime of data: it outlives the instance that wrote it.</summary>
internal static class StoreLifetimeScenarios
{
    private static readonly ProcessedKey Done = new("mail", "done");
    private static readonly ProcessedKey Held = new("mail", "held");

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "failures-outlive",
            "Failed events, lines, claims, counts, alerts and order survive the end of every instance, so that a deployment or a crash "
                + "forgets nothing.",
            FailuresOutliveAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Failures, StoreRule.Durable),
        },
        new(
            "handled-outlives",
            "What was handled, what is held and what is left to send survive the end of every instance, so that a crash repeats no effect.",
            HandledOutlivesAsync)
        {
            SkipUnless = StoreRule.All(StoreRule.Processed, StoreRule.Durable),
        },
        new(
            "delays-outlive",
            "Delayed events survive the end of every instance, so that a deployment loses no reminder.",
            DelaysOutliveAsync) { SkipUnless = StoreRule.All(StoreRule.Delays, StoreRule.Durable) },
        new(
            "sagas-outlive",
            "Sagas, what is due of them, their keys, counts and alerts survive the end of every instance, so that a crash leaves no work "
                + "half done.",
            SagasOutliveAsync) { SkipUnless = StoreRule.All(StoreRule.Sagas, StoreRule.Durable) },
    ];

    private static async Task FailuresOutliveAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Waiting("claimed"),
            run.Waiting("later", 30),
            run.Dead("1") with { NeedsAlert = true },
            run.Dead("2") with { NeedsAlert = true },
            run.Waiting("head", 40, "k"));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("behind", "k"));
        var claimed = await run.ClaimOneAsync("claimed");
        await run.Failures.CountAttemptAsync("mail", "started", new AttemptCount(1, 0), run.Now, default);
        await run.Failures.AdvanceAsync("mail", "o", 5, run.Now, default);
        var order = await run.Failures.GetOrderAsync("mail", "o", default);
        await run.Failures.DeferAsync(run.Deferred("deferred", "o", 7, 50), order.Stamp, 10, default);
        var alerts = await run.DeadLetters.ClaimAlertsAsync(run.Now, StoreRun.Lease, 1, default);
        await run.DeadLetters.MarkAlertedAsync(alerts.Entries, default);

        await run.ReopenAsync();

        Expect.Equal(7, await run.Failures.CountAsync(default), "the number of entries");
        await run.ExpectDeadAsync(["2", "1"], "after the restart");
        await run.ExpectAttemptAsync(3, "mail", "started", "the next attempt");
        Expect.Equal(order, await run.Failures.GetOrderAsync("mail", "o", default), "the state of the key");
        Expect.Sequence(
            ["mail~2"],
            (await run.DeadLetters.ClaimAlertsAsync(run.In(61), StoreRun.Lease, 10, default)).Entries.Select(alert => alert.Id),
            "the alerts that were not sent");
        Expect.Sequence(
            [],
            await run.Failures.RenewAsync([claimed], run.In(60), default),
            "the claims that are lost within their lease");
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("later", 30), default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("head", 40), default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("behind", 40), default);
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("deferred", 50), default);
        var interrupted = await run.ClaimOneAsync("claimed", 61);
        Expect.That(
            interrupted is { WasInterrupted: true, Attempts: 2 } && interrupted.Claim > claimed.Claim,
            $"an interrupted entry with 2 attempts and a claim above {claimed.Claim}",
            interrupted);
        await run.RecordAsync(run.Dead("3"));
        await run.ExpectDeadAsync(["3", "2", "1"], "after another event became a dead letter");
    }

    private static async Task HandledOutlivesAsync(StoreRun run)
    {
        var done = await run.Processed.ClaimAsync(Done, 1, run.Now, StoreRun.Lease, default);
        await run.Processed.CompleteAsync(
            Done,
            done.FencingToken,
            new Completion([Sample.Event("a"), Sample.Event("b")], [], run.In(3_600)),
            default);
        var held = await run.Processed.ClaimAsync(Held, 2, run.Now, StoreRun.Lease, default);
        var released = new ProcessedKey("mail", "released");
        var before = await run.Processed.ClaimAsync(released, 3, run.Now, StoreRun.Lease, default);
        await run.Processed.ReleaseAsync(released, before.FencingToken, default);

        await run.ReopenAsync();

        var again = await run.Processed.ClaimAsync(Done, 1, run.Now, StoreRun.Lease, default);
        Expect.Equal((ProcessedState.Done, 1L), (again.State, again.Fingerprint), "state and fingerprint of what was done");
        Expect.Sequence(["a", "b"], again.Outbox.Select(envelope => envelope.Id), "the events that are left to send");
        Expect.Equal(
            ProcessedState.InProgress,
            (await run.Processed.ClaimAsync(Held, 2, run.Now, StoreRun.Lease, default)).State,
            "the state of what is held");
        Expect.That(
            (await run.Processed.ClaimAsync(Held, 2, run.In(61), StoreRun.Lease, default)).FencingToken > held.FencingToken,
            $"a fencing token above {held.FencingToken} after the lease");
        Expect.That(
            (await run.Processed.ClaimAsync(released, 3, run.Now, StoreRun.Lease, default)).FencingToken > before.FencingToken,
            $"a fencing token above {before.FencingToken} for a released key");
    }

    private static async Task DelaysOutliveAsync(StoreRun run)
    {
        await run.Delays.AddAsync(Sample.Event("1"), run.Now, default);
        await run.Delays.AddAsync(Sample.Event("2"), run.In(30), default);
        await run.Delays.ClaimDueAsync(run.Now, StoreRun.Lease, 10, default);

        await run.ReopenAsync();

        Expect.Sequence(
            ["2"],
            (await run.Delays.ClaimDueAsync(run.In(30), StoreRun.Lease, 10, default)).Entries.Select(envelope => envelope.Id),
            "the entries that are due after 30 s, while the first is claimed");
        Expect.Sequence(
            ["1"],
            (await run.Delays.ClaimDueAsync(run.In(61), StoreRun.Lease, 10, default)).Entries.Select(envelope => envelope.Id),
            "the entries that are due after the lease of the first");
    }

    private static async Task SagasOutliveAsync(StoreRun run)
    {
        await run.Sagas.CreateAsync(run.Saga("1", 30), default);
        await run.Sagas.CreateAsync(run.Saga("2") with { WaitKey = "k" }, default);
        await run.Sagas.CreateAsync(run.Saga("3"), default);
        var third = await run.Sagas.FindAsync("3", default);
        await run.Sagas.SaveAsync(third! with { Status = SagaStatus.NeedsAttention, AlertAt = run.In(10) }, default);

        await run.ReopenAsync();

        var due = await run.Sagas.ListDueAsync(["trip"], run.In(30), 10, default);
        Expect.Sequence(["1"], due.Entries.Select(entry => entry.Id), "the entries that are due");
        Expect.Equal(Description.Of(run.Saga("1", 30)), Description.Of(due.Entries[0]), "the saga that is due");
        Expect.Sequence(["2"], await run.Sagas.FindWaitingAsync("k", 10, default), "the sagas that wait for the key");
        Expect.Sequence(
            ["3"],
            (await run.Sagas.ListAlertsAsync(run.In(10), 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that need an alert");
        var running = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, default);
        var needAttention = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, default);
        Expect.Equal((2, 1), (running, needAttention), "the numbers of sagas that run, and that need attention");
        Expect.That(!await run.Sagas.SaveAsync(third!, default), "a version from before the last save is refused");
        Expect.That(!await run.Sagas.CreateAsync(run.Saga("1"), default), "an id that is kept is refused");
        Expect.That(await run.Sagas.CreateAsync(run.Saga("4"), default), "a new saga is kept");
        Expect.Sequence(
            ["4", "3", "2", "1"],
            (await run.Sagas.ListAsync(new SagaFilter(), default)).Select(entry => entry.Id),
            "the sagas, the latest first");
    }
}
