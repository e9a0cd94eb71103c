using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests the search for sagas by their times, by the event that they wait for, and by the filters of operators.
/// </summary>
internal static class SagaListScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-due",
            "Sagas are due at their time and not before, the longest due first, and the store says when the next is due, so that "
                + "retries, timeouts and takeovers after a crash are on time.",
            DueAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-due-by-name",
            "Sagas that are due under names that were not asked for are left alone and wake no instance, so that an instance is not held "
                + "up by sagas that it cannot run.",
            DueByNameAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-alerts",
            "Sagas that need attention are listed at their time, the oldest first and whatever their names, until the alert is sent, so "
                + "that no alert is lost.",
            AlertsAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-waiting",
            "What waits for a key is found by exactly this key, while it waits, so that a reply reaches the sagas that it is for and no "
                + "other.",
            WaitingAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-list",
            "Sagas are listed by name and status in pages, the latest started first, so that operators find one among many.",
            ListAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-counts",
            "The counts by name and status are right after every change, so that operators see the current state.",
            CountsAsync) { RuledOut = StoreRule.Sagas },
    ];

    private static async Task DueAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Sagas!;
        foreach (var (id, at) in new (string, double?)[]
        {
            ("b", 10),
            ("c", 20.001),
            ("never", null),
            ("a", 5),
            ("d", 20.002),
            ("far", 100_000_000)
        })
        {
            await run.Sagas.CreateAsync(run.Saga(id, at), default);
        }

        await ExpectDueAsync(4.999, 10, [], 5);
        await ExpectDueAsync(5, 10, ["a"], 10);
        await ExpectDueAsync(20.001, 2, ["a", "b"], 20.001);
        await ExpectDueAsync(20.001, 3, ["a", "b", "c"], 20.002);
        await ExpectDueAsync(100_000_000, 10, ["a", "b", "c", "d", "far"], null);

        // Listing changes nothing. An instance claims a saga when it saves it with a later time.
        var due = (await other.ListDueAsync(["trip"], run.In(20.001), 10, default)).Entries;
        Expect.Equal(Sample.Describe(run.Saga("a", 5)), Sample.Describe(due[0]), "the first that is due");
        Expect.That(await other.SaveAsync(due[0] with { DueAt = run.In(60) }, default), "the first is claimed on another instance");
        Expect.That(await run.Sagas.SaveAsync(due[1] with { DueAt = null }, default), "the second needs no further work");
        Expect.That(!await run.Sagas.SaveAsync(due[0] with { DueAt = run.In(61) }, default), "the first is not claimed twice");
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
                next is { } seconds ? run.In(seconds) : null,
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
            Expect.Sequence(ids, batch.Entries.Select(entry => entry.Id), $"what is due of [{string.Join(", ", names)}]");
            Expect.Equal(
                next is { } seconds ? run.In(seconds) : null,
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
                run.Saga(id, 0, name, SagaStatus.NeedsAttention) with { AlertAt = at is { } seconds ? run.In(seconds) : null },
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
                next is { } seconds ? run.In(seconds) : null,
                batch.NextDue,
                $"when the next alert is after {max} of those after {at} s");
        }
    }

    private static async Task WaitingAsync(StoreRun run)
    {
        foreach (var (key, i) in Sample.OddKeys.Append("")
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
                $"what waits for '{key}', while others wait for other keys");
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
        Expect.Sequence(["second 0"], await run.Sagas.FindWaitingAsync("a", 10, default), "what waits for 'a' then");
        Expect.Sequence(["first 0"], await run.Sagas.FindWaitingAsync("moved", 10, default), "what waits for the other key");
        Expect.That(await run.Sagas.SaveAsync(first with { Version = 2, WaitKey = null }, default), "the saga waits for nothing");
        Expect.Equal(
            0,
            (await run.Sagas.FindWaitingAsync("moved", 10, default)).Count,
            "the number of sagas that wait for the other key then");
    }

    private static async Task ListAsync(StoreRun run)
    {
        SagaStore[] instances = [run.Sagas, (await run.OtherAsync()).Sagas!];
        for (var i = 0; i < 12; i++)
        {
            await instances[i % 2].CreateAsync(
                run.Saga($"{i}", 12 - i, i % 3 == 0 ? "refund" : "trip", i % 4 == 0 ? SagaStatus.Completed : SagaStatus.Running),
                default);
        }

        await ExpectAsync(new SagaFilter(), ["11", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
        await ExpectAsync(new SagaFilter { Saga = "refund" }, ["9", "6", "3", "0"]);
        await ExpectAsync(new SagaFilter { Status = SagaStatus.Completed }, ["8", "4", "0"]);
        await ExpectAsync(new SagaFilter { Saga = "trip", Status = SagaStatus.Completed }, ["8", "4"]);
        await ExpectAsync(new SagaFilter { Saga = "tri" }, []);
        await ExpectAsync(new SagaFilter { Saga = "refund-2", Status = SagaStatus.Running }, []);
        await ExpectAsync(new SagaFilter { Status = SagaStatus.Finished }, []);
        foreach (var filter in new[]
        {
            new SagaFilter(),
            new SagaFilter { Saga = "trip" },
            new SagaFilter { Status = SagaStatus.Running },
            new SagaFilter { Saga = "trip", Status = SagaStatus.Running }
        })
        {
            // Reads page after page, while sagas start and end.
            var all = (await run.Sagas.ListAsync(filter, default)).Select(entry => entry.Id).ToList();
            var paged = new List<string>();
            var page = await run.Sagas.ListAsync(filter with { Take = 2 }, default);
            while (page.Count > 0)
            {
                paged.AddRange(page.Select(entry => entry.Id));
                await run.Sagas.CreateAsync(run.Saga($"{filter} {paged.Count}"), default);
                page = await run.Sagas.ListAsync(filter with { Take = 2, Before = page[^1].Number }, default);
            }

            Expect.Sequence(all, paged, $"the pages of {filter} one after another");
        }

        var listed = await run.Sagas.ListAsync(new SagaFilter { Saga = "refund", Take = 1 }, default);
        Expect.Equal(Sample.Describe(run.Saga("9", 3, "refund")), Sample.Describe(listed[0]), "a saga that is listed");
        Expect.Equal(
            await run.Sagas.FindAsync("9", default) is { } found ? (found.Version, found.Number) : default,
            (listed[0].Version, listed[0].Number),
            "version and number of a saga that is listed");

        async Task ExpectAsync(SagaFilter filter, string[] ids)
        {
            Expect.Sequence(
                ids,
                (await run.Sagas.ListAsync(filter, default)).Select(entry => entry.Id),
                $"the sagas of {filter}, the latest first");
            Expect.Equal(
                ids.Length,
                await run.Sagas.CountAsync(filter with { Take = 1, Before = 1 }, default),
                $"the number of sagas of {filter}");
        }
    }

    private static async Task CountsAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Sagas!;
        await Task.WhenAll(Enumerable.Range(0, 10).Select(
            i => (i % 2 == 0 ? run.Sagas : other).CreateAsync(run.Saga($"{i}", saga: i < 6 ? "trip" : "refund"), default).AsTask()));
        await ExpectAsync((6, 4), (0, 0), (0, 0));
        await TurnAsync(SagaStatus.NeedsAttention, null, "0", "1", "6");
        await ExpectAsync((4, 3), (2, 1), (0, 0));
        await TurnAsync(SagaStatus.Completed, run.In(10), "0", "2", "7", "8");
        await ExpectAsync((3, 1), (1, 1), (2, 2));
        await TurnAsync(SagaStatus.Running, null, "1", "6", "3");
        await ExpectAsync((4, 2), (0, 0), (2, 2));
        await run.Sagas.SweepAsync(run.In(11), 3, default);
        Expect.Equal(
            1,
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Completed }, default),
            "the number of completed sagas after three of four were swept");
        await run.Sagas.SweepAsync(run.In(11), 3, default);
        await ExpectAsync((4, 2), (0, 0), (0, 0));

        async Task TurnAsync(SagaStatus status, DateTimeOffset? until, params string[] ids)
        {
            foreach (var id in ids)
            {
                var entry = (await other.FindAsync(id, default))!;
                Expect.That(
                    await other.SaveAsync(entry with { Status = status, KeepUntil = until }, default),
                    $"the saga {id} turns {status}");
                Expect.That(
                    !await run.Sagas.SaveAsync(entry with { Status = SagaStatus.Compensated }, default),
                    $"an old state of the saga {id} is refused");
            }
        }

        async Task ExpectAsync(params (long Trip, long Refund)[] expected)
        {
            foreach (var ((trip, refund), status) in expected.Zip([SagaStatus.Running, SagaStatus.NeedsAttention, SagaStatus.Completed]))
            {
                Expect.Equal(
                    (trip, refund, trip + refund),
                    (await CountAsync("trip", status), await CountAsync("refund", status), await CountAsync(null, status)),
                    $"the number of trips, refunds and all that are {status}");
            }

            var (trips, refunds) = (expected.Sum(count => count.Trip), expected.Sum(count => count.Refund));
            Expect.Equal((trips, refunds, trips + refunds, 0), (
                await CountAsync("trip", null),
                await CountAsync("refund", null),
                await CountAsync(null, null),
                await CountAsync(null, SagaStatus.Compensated)), "the number of trips, refunds, all and compensated ones");
        }

        ValueTask<long> CountAsync(string? saga, SagaStatus? status) =>
            run.Sagas.CountAsync(new SagaFilter { Saga = saga, Status = status }, default);
    }
}
