namespace EventBus.Conformance;

/// <summary>Tests the search for sagas by their times, and by the event that they wait for.</summary>
internal static class SagaDueScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-due",
            "Sagas are due at their time and not before, those with the earliest due time first, and the store reports when the next one "
                + "is due, so that retries, timeouts and takeovers after a crash are on time.",
            DueAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-due-by-name",
            "Due sagas with other names than the requested ones are not returned and do not affect the next due time, so that sagas that "
                + "an instance cannot run do not delay it.",
            DueByNameAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-alerts",
            "Sagas that need attention are listed when their alert is due, the oldest first and with any name, until the alert is sent, so "
                + "that no alert is lost.",
            AlertsAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-waiting",
            "A saga that waits for a key is found by exactly this key, and only while it waits, so that a reply reaches the sagas that "
                + "wait for it and no others.",
            WaitingAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task DueAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Sagas!;
        foreach (var (id, due) in new (string, double?)[]
        {
            ("b", 10),
            ("c", 20.001),
            ("never", null),
            ("a", 5),
            ("d", 20.002),
            ("far", 100_000_000)
        })
        {
            await run.Sagas.CreateAsync(run.Saga(id, due), default);
        }

        await ExpectDueAsync(4.999, 10, [], 5);
        await ExpectDueAsync(5, 10, ["a"], 10);
        await ExpectDueAsync(20.001, 2, ["a", "b"], 20.001);
        await ExpectDueAsync(20.001, 3, ["a", "b", "c"], 20.002);
        await ExpectDueAsync(100_000_000, 10, ["a", "b", "c", "d", "far"], null);

        // Listing changes nothing. An instance claims a saga when it saves it with a later time.
        var dueSagas = (await other.ListDueAsync(["trip"], run.In(20.001), 10, default)).Entries;
        Expect.Equal(Sample.Describe(run.Saga("a", 5)), Sample.Describe(dueSagas[0]), "the first that is due");
        Expect.That(await other.SaveAsync(dueSagas[0] with { DueAt = run.In(60) }, default), "the first is claimed on another instance");
        Expect.That(await run.Sagas.SaveAsync(dueSagas[1] with { DueAt = null }, default), "the second needs no further work");
        Expect.That(!await run.Sagas.SaveAsync(dueSagas[0] with { DueAt = run.In(61) }, default), "the first is not claimed twice");
        await ExpectDueAsync(20.001, 10, ["c"], 20.002);
        await ExpectDueAsync(60, 10, ["c", "d", "a"], 100_000_000);

        // Sagas that are due at the same time are returned in the order in which they were started.
        foreach (var id in new[] { "y", "x", "z" })
        {
            await run.Sagas.CreateAsync(run.Saga(id, 1), default);
        }

        await ExpectDueAsync(1, 2, ["y", "x"], 1);
        await ExpectDueAsync(1, 10, ["y", "x", "z"], 20.001);

        async Task ExpectDueAsync(double at, int max, string[] ids, double? next)
        {
            var batch = await run.Sagas.ListDueAsync(["trip"], run.In(at), max, default);
            Expect.Sequence(ids, batch.Entries.Select(entry => entry.Id), $"the first {max} that are due after {at} s");
            Expect.Equal(
                run.In(next),
                batch.NextDue,
                $"when the next is due after {max} of those that are due after {at} s");
        }
    }

    private static async Task DueByNameAsync(StoreRun run)
    {
        foreach (var (id, name, due) in new[]
        {
            ("1", "trip", 5),
            ("2", "trip-2", 1),
            ("3", "tri", 2),
            ("4", "refund", 3),
            ("5", "trip", 4),
            ("6", "refund", 30),
            ("7", "trip", 40)
        })
        {
            await run.Sagas.CreateAsync(run.Saga(id, due, name), default);
        }

        await ExpectDueAsync(["trip"], 10, ["5", "1"], 40);
        await ExpectDueAsync(["trip", "refund"], 10, ["4", "5", "1"], 30);
        await ExpectDueAsync(["refund", "trip", "trip"], 2, ["4", "5"], 5);
        await ExpectDueAsync(["trip-2"], 10, ["2"], null);
        await ExpectDueAsync(["Trip", "unknown"], 10, [], null);
        await ExpectDueAsync([], 10, [], null);

        async Task ExpectDueAsync(string[] names, int max, string[] ids, double? next)
        {
            var batch = await run.Sagas.ListDueAsync(names, run.In(20), max, default);
            Expect.Sequence(ids, batch.Entries.Select(entry => entry.Id), $"the sagas that are due of [{string.Join(", ", names)}]");
            Expect.Equal(
                run.In(next),
                batch.NextDue,
                $"when the next of [{string.Join(", ", names)}] is due");
        }
    }

    private static async Task AlertsAsync(StoreRun run)
    {
        foreach (var (id, name, at) in new (string, string, double?)[]
        {
            ("1", "trip", 10),
            ("2", "refund", 5),
            ("3", "trip", null),
            ("4", "trip", 30),
            ("5", "refund", 10)
        })
        {
            await run.Sagas.CreateAsync(
                run.Saga(id, 0, name, SagaStatus.NeedsAttention) with { AlertAt = run.In(at) },
                default);
        }

        await ExpectAlertsAsync(4.999, 10, [], 5);
        await ExpectAlertsAsync(10, 2, ["2", "1"], 10);
        await ExpectAlertsAsync(10, 10, ["2", "1", "5"], 30);

        var alerts = (await run.Sagas.ListAlertsAsync(run.In(10), 10, default)).Entries;
        Expect.That(await run.Sagas.SaveAsync(alerts[0] with { AlertAt = run.In(70) }, default), "the first alert is claimed");
        Expect.That(await run.Sagas.SaveAsync(alerts[1] with { AlertAt = null }, default), "the alert of the second was sent");
        await ExpectAlertsAsync(10, 10, ["5"], 30);
        await ExpectAlertsAsync(70, 10, ["5", "4", "2"], null);

        async Task ExpectAlertsAsync(double at, int max, string[] ids, double? next)
        {
            var batch = await run.Sagas.ListAlertsAsync(run.In(at), max, default);
            Expect.Sequence(ids, batch.Entries.Select(entry => entry.Id), $"the first {max} alerts after {at} s");
            Expect.Equal(
                run.In(next),
                batch.NextDue,
                $"when the next alert is after {max} of those after {at} s");
        }
    }

    private static async Task WaitingAsync(StoreRun run)
    {
        foreach (var (key, i) in Sample.UnusualKeys.Append("")
            .Append("trip~order.paid~1")
            .Append("trip~order.paid~12")
            .Append("trip~order.paid")
            .Select((key, i) => (key, i)))
        {
            await run.Sagas.CreateAsync(run.Saga($"first {i}") with { WaitKey = key }, default);
            await run.Sagas.CreateAsync(run.Saga($"second {i}", saga: "other") with { WaitKey = key }, default);
            await run.Sagas.CreateAsync(run.Saga($"none {i}"), default);
            Expect.Sequence(
                [$"first {i}", $"second {i}"],
                await run.Sagas.FindWaitingAsync(key, 10, default),
                $"the sagas that wait for '{key}', while others wait for other keys");
        }

        foreach (var key in new[] { "trip~order.paid~", "trip", "b", "ä ", "%", "kk", "/", "trip~order.paid~2" })
        {
            Expect.Equal(0, (await run.Sagas.FindWaitingAsync(key, 10, default)).Count, $"the number of sagas that wait for '{key}'");
        }

        Expect.Sequence(["first 0"], await run.Sagas.FindWaitingAsync("a", 1, default), "the first that waits for 'a'");
        var first = (await run.Sagas.FindAsync("first 0", default))!;
        Expect.That(
            await run.Sagas.SaveAsync(first with { WaitKey = "moved", Content = "{}"u8.ToArray() }, default),
            "the saga waits for another key");
        Expect.Sequence(["second 0"], await run.Sagas.FindWaitingAsync("a", 10, default), "the sagas that wait for 'a' then");
        Expect.Sequence(["first 0"], await run.Sagas.FindWaitingAsync("moved", 10, default), "the sagas that wait for the other key");
        Expect.That(await run.Sagas.SaveAsync(first with { Version = 2, WaitKey = null }, default), "the saga waits for nothing");
        Expect.Equal(
            0,
            (await run.Sagas.FindWaitingAsync("moved", 10, default)).Count,
            "the number of sagas that wait for the other key then");
    }
}
