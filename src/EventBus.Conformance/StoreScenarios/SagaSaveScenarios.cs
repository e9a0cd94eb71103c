using System.Globalization;
using System.Text;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests saves of sagas: only a caller that has read the latest state of a saga can change it.</summary>
internal static class SagaSaveScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-compare-and-swap",
            "A save that is not based on the latest state changes nothing, so that no instance and no reply overwrites a change of "
                + "another.",
            CompareAndSwapAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-saves-at-once",
            "Two instances that save a saga at the same time lose no change of each other, so that every reply counts.",
            SavesAtOnceAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-save-repeated",
            "A save that is repeated because its answer was lost is refused and changes nothing, and the saga shows that the first save "
                + "succeeded, so that the bus can continue.",
            RepeatedAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-identity",
            "The name, the number and the start time of a saga never change, whatever is saved, so that operators and listings find it "
                + "again.",
            IdentityAsync) { RuledOut = StoreRule.Sagas },
    ];

    private static async Task CompareAndSwapAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Sagas!;
        await run.Sagas.CreateAsync(run.Saga("1", 5), default);
        var seen = (await other.FindAsync("1", default))!;
        var second = seen with { Claim = 2, DueAt = run.In(30) };
        Expect.That(await run.Sagas.SaveAsync(second, default), "a save that has seen the latest state succeeds");
        Expect.That(!await other.SaveAsync(seen with
        {
            Claim = 3,
            DueAt = run.Now,
            Status = SagaStatus.Completed,
            AlertAt = run.Now,
            WaitKey = "k",
            KeepUntil = run.Now,
            Content = new byte[] { 1 }
        }, default), "a save from before is refused");
        Expect.That(!await other.SaveAsync(seen with { Version = 3 }, default), "a version that is not there yet is refused");
        Expect.That(!await other.SaveAsync(seen with { Version = 0 }, default), "the version 0 is refused");
        Expect.Equal(
            Sample.Describe(second),
            Sample.Describe(await other.FindAsync("1", default)),
            "the saga after other saves were refused");
        Expect.Equal((0, run.In(30)), await DueAsync(), "what is due before its time, and when the next is due");
        Expect.Equal((0, 0), (
            (await run.Sagas.ListAlertsAsync(run.In(9), 10, default)).Entries.Count,
            (await run.Sagas.FindWaitingAsync("k", 10, default)).Count), "the number of alerts, and of those that wait");
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(9), 10, default), "the number of sagas that are swept");

        Expect.That(
            !await run.Sagas.SaveAsync(run.Saga("unknown", 0) with { Version = 1 }, default),
            "a save of a saga that is not there is refused");
        Expect.That(
            !await run.Sagas.SaveAsync(run.Saga("unknown", 0), default),
            "a save of a saga that is not there is refused, also with the version 0");
        Expect.Equal(null, await run.Sagas.FindAsync("unknown", default), "a saga that was saved and never started");
        Expect.Equal(1, await run.Sagas.CountAsync(new SagaFilter(), default), "the number of sagas");

        async Task<(int, DateTimeOffset?)> DueAsync()
        {
            var due = await run.Sagas.ListDueAsync(["trip"], run.In(9), 10, default);
            return (due.Entries.Count, due.NextDue);
        }
    }

    private static async Task SavesAtOnceAsync(StoreRun run)
    {
        const int Writers = 8, Each = 15;
        SagaStore[] instances = [run.Sagas, (await run.OtherAsync()).Sagas!];
        await run.Sagas.CreateAsync(run.Saga("1") with { Content = "0"u8.ToArray() }, default);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => AddAsync(instances[writer % 2])));

        var found = (await run.Sagas.FindAsync("1", default))!;
        Expect.Equal(
            (Writers * Each, 1L + (Writers * Each)),
            (NumberIn(found), found.Version),
            "what eight writers have counted up together, and the version");

        async Task AddAsync(SagaStore store)
        {
            await Task.Yield();
            for (var added = 0; added < Each;)
            {
                var entry = (await store.FindAsync("1", default))!;
                added += await store.SaveAsync(entry with { Content = Encoding.UTF8.GetBytes($"{NumberIn(entry) + 1}") }, default) ? 1 : 0;
            }
        }

        static int NumberIn(SagaEntry entry) => int.Parse(Encoding.UTF8.GetString(entry.Content.Span), CultureInfo.InvariantCulture);
    }

    private static async Task RepeatedAsync(StoreRun run)
    {
        var entry = run.Saga("1");
        Expect.That(await run.Sagas.CreateAsync(entry, default), "the saga is created");
        Expect.That(!await run.Sagas.CreateAsync(entry, default), "a repeated creation is refused");
        var found = (await run.Sagas.FindAsync("1", default))!;
        Expect.That(
            found.Version == 1 && found.Content.Span.SequenceEqual(entry.Content.Span),
            "the saga shows that it was created as it was given",
            found);

        var saved = found with { Status = SagaStatus.Compensating, DueAt = run.In(3), WaitKey = "k", Content = "{}"u8.ToArray() };
        Expect.That(await run.Sagas.SaveAsync(saved, default), "the save succeeds");
        Expect.That(!await run.Sagas.SaveAsync(saved, default), "the repeated save is refused");
        found = (await run.Sagas.FindAsync("1", default))!;
        Expect.Equal((2, Sample.Describe(saved)), (found.Version, Sample.Describe(found)), "version and contents after the repeated save");
        Expect.Sequence(["1"], await run.Sagas.FindWaitingAsync("k", 10, default), "what waits for the key after the repeated save");
        Expect.Equal((0, 1), (
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, default),
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Compensating }, default)), "how many run, and compensate");
    }

    private static async Task IdentityAsync(StoreRun run)
    {
        await run.Sagas.CreateAsync(run.Saga("1", 0), default);
        await run.Sagas.CreateAsync(run.Saga("2", 0), default);
        var first = (await run.Sagas.FindAsync("1", default))!;
        Expect.That(await run.Sagas.SaveAsync(
            first with { Saga = "other", Number = first.Number + 100, StartedAt = run.In(-500), Claim = 2 },
            default), "the saga is saved");
        var found = await run.Sagas.FindAsync("1", default);
        Expect.Equal(
            Sample.Describe(first with { Claim = 2 }),
            Sample.Describe(found),
            "the saga after a save with another name and start");
        Expect.Equal((2, first.Number), (found!.Version, found.Number), "version and number after a save with another number");
        Expect.Sequence(
            ["1", "2"],
            (await run.Sagas.ListDueAsync(["trip"], run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "what is due under the name");
        Expect.Equal((0, 0, 2), (
            (await run.Sagas.ListDueAsync(["other"], run.Now, 10, default)).Entries.Count,
            await run.Sagas.CountAsync(new SagaFilter { Saga = "other" }, default),
            await run.Sagas.CountAsync(new SagaFilter { Saga = "trip" }, default)),
                "how many are due and counted under the other name, and counted under the name");
        Expect.Sequence(
            ["2", "1"],
            (await run.Sagas.ListAsync(new SagaFilter(), default)).Select(entry => entry.Id),
            "the sagas, the latest first");
    }
}
