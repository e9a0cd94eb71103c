using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the search for sagas by the filters of operators.</summary>
internal static class SagaListScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-list",
            "Sagas are listed by name and status in pages, the latest started first, so that operators find one among many.",
            ListAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-counts",
            "The counts by name and status are correct after every change, so that operators see the current state.",
            CountsAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task ListAsync(StoreRun run)
    {
        SagaStore[] instances = [run.Sagas, (await run.OpenSecondInstanceAsync()).Sagas!];
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
            // Reads page after page, while sagas start.
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
        Expect.Equal(Description.Of(run.Saga("9", 3, "refund")), Description.Of(listed[0]), "a saga that is listed");
        var found = (await run.Sagas.FindAsync("9", default))!;
        Expect.Equal(
            (found.Version, found.Number),
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
        var other = (await run.OpenSecondInstanceAsync()).Sagas!;
        SagaStore[] instances = [run.Sagas, other];
        await Task.WhenAll(Enumerable.Range(0, 10).Select(
            i => instances[i % 2].CreateAsync(run.Saga($"{i}", saga: i < 6 ? "trip" : "refund"), default).AsTask()));
        await ExpectAsync(running: (6, 4), needAttention: (0, 0), completed: (0, 0));
        await SetStatusAsync(SagaStatus.NeedsAttention, null, "0", "1", "6");
        await ExpectAsync(running: (4, 3), needAttention: (2, 1), completed: (0, 0));
        await SetStatusAsync(SagaStatus.Completed, run.In(10), "0", "2", "7", "8");
        await ExpectAsync(running: (3, 1), needAttention: (1, 1), completed: (2, 2));
        await SetStatusAsync(SagaStatus.Running, null, "1", "6", "3");
        await ExpectAsync(running: (4, 2), needAttention: (0, 0), completed: (2, 2));
        await run.Sagas.SweepAsync(run.In(11), 3, default);
        Expect.Equal(
            1,
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Completed }, default),
            "the number of completed sagas after three of four were swept");
        await run.Sagas.SweepAsync(run.In(11), 3, default);
        await ExpectAsync(running: (4, 2), needAttention: (0, 0), completed: (0, 0));

        async Task SetStatusAsync(SagaStatus status, DateTimeOffset? keepUntil, params string[] ids)
        {
            foreach (var id in ids)
            {
                var entry = (await other.FindAsync(id, default))!;
                Expect.That(
                    await other.SaveAsync(entry with { Status = status, KeepUntil = keepUntil }, default),
                    $"the saga {id} turns {status}");
                Expect.That(
                    !await run.Sagas.SaveAsync(entry with { Status = SagaStatus.Compensated }, default),
                    $"an old state of the saga {id} is refused");
            }
        }

        async Task ExpectAsync(
            (long Trips, long Refunds) running,
            (long Trips, long Refunds) needAttention,
            (long Trips, long Refunds) completed)
        {
            await ExpectCountsAsync(running.Trips, running.Refunds, SagaStatus.Running);
            await ExpectCountsAsync(needAttention.Trips, needAttention.Refunds, SagaStatus.NeedsAttention);
            await ExpectCountsAsync(completed.Trips, completed.Refunds, SagaStatus.Completed);
            await ExpectCountsAsync(0, 0, SagaStatus.Compensated);
            await ExpectCountsAsync(
                running.Trips + needAttention.Trips + completed.Trips,
                running.Refunds + needAttention.Refunds + completed.Refunds,
                null);
        }

        async Task ExpectCountsAsync(long trips, long refunds, SagaStatus? status) =>
            Expect.Equal(
                (trips, refunds, trips + refunds),
                (await CountAsync("trip", status), await CountAsync("refund", status), await CountAsync(null, status)),
                $"the number of trips, refunds and all sagas {(status is null ? "of any status" : $"that are {status}")}");

        ValueTask<long> CountAsync(string? saga, SagaStatus? status) =>
            run.Sagas.CountAsync(new SagaFilter { Saga = saga, Status = status }, default);
    }
}
