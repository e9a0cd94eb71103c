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
            "A save that is not based on the latest state changes nothing, so that an instance or a reply never overwrites the change of "
                + "another.",
            CompareAndSwapAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-saves-at-once",
            "If two instances save a saga at the same time, the changes of both are stored, so that every reply counts.",
            SavesAtOnceAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-save-repeated",
            "A save that is repeated because its answer was lost is refused and changes nothing, and the saga shows that the first save "
                + "succeeded, so that the bus can continue.",
            RepeatedAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-identity",
            "The name, the number and the start time of a saga never change, whatever is saved, so that operators and listings find it "
                + "again.",
            IdentityAsync) { SkipUnless = StoreRule.Sagas },
    ];

    private static async Task CompareAndSwapAsync(StoreRun run)
    {
        const string Name = "trip";
        var other = (await run.OpenSecondInstanceAsync()).Sagas!;
        await run.Sagas.CreateAsync(run.Saga("1", due: 5, Name), default);
        var seen = (await other.FindAsync("1", default))!;
        var latest = seen with { Claim = 2, DueAt = run.In(30) };
        Expect.That(await run.Sagas.SaveAsync(latest, default), "a save that is based on the latest state succeeds");

        // The refused save changes every column, so that the checks below detect each column that it wrote.
        var outdated = seen with
        {
            Claim = 3,
            DueAt = run.Now,
            Status = SagaStatus.Completed,
            AlertAt = run.Now,
            WaitKey = "k",
            KeepUntil = run.Now,
            Content = new byte[] { 1 },
        };
        Expect.That(!await other.SaveAsync(outdated, default), "a save that is based on an earlier state is refused");
        Expect.That(!await other.SaveAsync(seen with { Version = 3 }, default), "a version that does not exist yet is refused");
        Expect.That(!await other.SaveAsync(seen with { Version = 0 }, default), "the version 0 is refused");

        // The description does not contain the version, which the store has raised.
        Expect.Equal(
            Description.Of(latest),
            Description.Of(await other.FindAsync("1", default)),
            "the saga after other saves were refused");
        Expect.Equal((0, run.In(30)), await DueAsync(), "the number of sagas that are due early, and the next due time");
        Expect.Equal(0, (await run.Sagas.ListAlertsAsync(run.In(9), 10, default)).Entries.Count, "the number of alerts");
        Expect.Equal(0, (await run.Sagas.FindWaitingAsync("k", 10, default)).Count, "the number of sagas that wait for the key");
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(9), 10, default), "the number of sagas that are removed");

        Expect.That(
            !await run.Sagas.SaveAsync(run.Saga("unknown", due: 0) with { Version = 1 }, default),
            "a save of a saga that was not started is refused");
        Expect.That(
            !await run.Sagas.SaveAsync(run.Saga("unknown", due: 0), default),
            "a save of a saga that was not started is refused, also with the version 0");
        Expect.Equal(null, await run.Sagas.FindAsync("unknown", default), "the saga that was saved but not started");
        Expect.Equal(1, await run.Sagas.CountAsync(new SagaFilter(), default), "the number of sagas");

        async Task<(int, DateTimeOffset?)> DueAsync()
        {
            var due = await run.Sagas.ListDueAsync([Name], run.In(9), 10, default);
            return (due.Entries.Count, due.NextDue);
        }
    }

    private static async Task SavesAtOnceAsync(StoreRun run)
    {
        const int Writers = 8, Each = 15;
        SagaStore[] instances = [run.Sagas, (await run.OpenSecondInstanceAsync()).Sagas!];
        await run.Sagas.CreateAsync(run.Saga("1") with { Content = "0"u8.ToArray() }, default);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => AddAsync(instances[writer % 2])));

        var found = (await run.Sagas.FindAsync("1", default))!;
        Expect.Equal(
            (Writers * Each, 1L + (Writers * Each)),
            (NumberIn(found), found.Version),
            "the count that eight writers have raised together, and the version");

        async Task AddAsync(SagaStore store)
        {
            // A store that completes its calls synchronously would run the writers one after the other.
            await Task.Yield();
            var added = 0;
            while (added < Each)
            {
                var entry = (await store.FindAsync("1", default))!;
                var raised = entry with { Content = Encoding.UTF8.GetBytes($"{NumberIn(entry) + 1}") };
                if (await store.SaveAsync(raised, default))
                {
                    added++;
                }
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
            "the saga has the version and the content with which it was created",
            found);

        var saved = found with { Status = SagaStatus.Compensating, DueAt = run.In(3), WaitKey = "k", Content = "{}"u8.ToArray() };
        Expect.That(await run.Sagas.SaveAsync(saved, default), "the save succeeds");
        Expect.That(!await run.Sagas.SaveAsync(saved, default), "the repeated save is refused");
        found = (await run.Sagas.FindAsync("1", default))!;
        Expect.Equal((2, Description.Of(saved)), (found.Version, Description.Of(found)), "version and contents after the repeated save");
        Expect.Sequence(
            ["1"],
            await run.Sagas.FindWaitingAsync("k", 10, default),
            "the sagas that wait for the key after the repeated save");
        var running = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, default);
        var compensating = await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Compensating }, default);
        Expect.Equal((0, 1), (running, compensating), "the numbers of running and of compensating sagas");
    }

    private static async Task IdentityAsync(StoreRun run)
    {
        await run.Sagas.CreateAsync(run.Saga("1", due: 0), default);
        await run.Sagas.CreateAsync(run.Saga("2", due: 0), default);
        var first = (await run.Sagas.FindAsync("1", default))!;
        Expect.That(await run.Sagas.SaveAsync(
            first with { Saga = "other", Number = first.Number + 100, StartedAt = run.In(-500), Claim = 2 },
            default), "the saga is saved");
        var found = await run.Sagas.FindAsync("1", default);
        Expect.Equal(
            Description.Of(first with { Claim = 2 }),
            Description.Of(found),
            "the saga after a save with another name and start");
        Expect.Equal((2, first.Number), (found!.Version, found.Number), "version and number after a save with another number");
        Expect.Sequence(
            ["1", "2"],
            (await run.Sagas.ListDueAsync(["trip"], run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "the sagas that are due under the original name");
        var dueOfOther = await run.Sagas.ListDueAsync(["other"], run.Now, 10, default);
        Expect.Equal(0, dueOfOther.Entries.Count, "the number of sagas that are due under the other name");
        Expect.Equal(
            0,
            await run.Sagas.CountAsync(new SagaFilter { Saga = "other" }, default),
            "the number of sagas under the other name");
        Expect.Equal(
            2,
            await run.Sagas.CountAsync(new SagaFilter { Saga = "trip" }, default),
            "the number of sagas under the original name");
        Expect.Sequence(
            ["2", "1"],
            (await run.Sagas.ListAsync(new SagaFilter(), default)).Select(entry => entry.Id),
            "the sagas, the latest first");
    }
}
