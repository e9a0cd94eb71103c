namespace EventBus.Conformance;

/// <summary>Tests the search for due sagas, by their times and names.</summary>
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
        Expect.Equal(Description.Of(run.Saga("a", 5)), Description.Of(dueSagas[0]), "the first that is due");
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
}
