using System.Globalization;
using System.Text;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests sagas: a saga is stored completely and once, and only a caller that has read its latest state can change it.
/// </summary>
internal static class SagaScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-round-trip",
            "A saga is read back whole, whatever its id, key and content hold, so that it continues with its state.",
            RoundTripAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-created-once",
            "An id that is kept is not created again, whatever became of its saga, so that a copy of a request starts nothing twice.",
            CreatedOnceAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-created-at-once",
            "Of copies that start at the same time on two instances exactly one is kept, so that a trip is booked once.",
            CreatedAtOnceAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-compare-and-swap",
            "A save that has not seen the latest state changes nothing, so that no instance and no reply undoes what another has written.",
            CompareAndSwapAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-saves-at-once",
            "Writers on two instances that save at the same time lose nothing of one another, so that every reply counts.",
            SavesAtOnceAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-save-repeated",
            "A save that is repeated, because its answer was lost, is refused and changes nothing, and the saga shows that it was "
                + "written, so that a bus knows where it stands.",
            RepeatedAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-identity",
            "What a saga is called, its number and its start never change, whatever is saved, so that operators and pages find it where "
                + "it was.",
            IdentityAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-sweep",
            "A sweep forgets ended sagas whose time has passed, and everything that led to them, so that the store stays small and an id "
                + "is free again.",
            SweepAsync) { RuledOut = StoreRule.Sagas },
        new(
            "saga-unreadable",
            "A saga that cannot be read comes with what is wrong with it, hides no other, can be put aside and keeps its content, so "
                + "that an operator can repair it.",
            UnreadableAsync)
        {
            RuledOut = StoreRule.All(StoreRule.Sagas, StoreRule.CanCorrupt),
        },
    ];

    private static async Task RoundTripAsync(StoreRun run)
    {
        var full = run.Saga("full", 7.123, "book-trip-2", SagaStatus.NeedsAttention) with
        {
            Claim = long.MaxValue - 1,
            AlertAt = run.In(8.001),
            WaitKey = "Grüße ~ \"😀\"",
            StartedAt = run.In(-100),
            ChangedAt = run.In(-1.001),
            KeepUntil = run.In(315_360_000),
            Content = Encoding.UTF8.GetBytes("""{"name":"Grüße \"😀\" \n"}"""),
        };
        SagaEntry[] entries =
        [
            full,
            run.Saga("bare"),
            run.Saga("empty", 1) with { Content = ReadOnlyMemory<byte>.Empty, Claim = 0, WaitKey = "" },
            run.Saga("large", 2) with { Content = Enumerable.Range(0, 200 * 1024).Select(i => (byte)(i * 31)).ToArray() },
            run.Saga("bytes", 3) with { Content = new byte[] { 0, 255, 13, 10, 34, 128 } },
            run.Saga(new string('i', 128), 4) with { WaitKey = new string('ß', 512) },
            .. Sample.OddKeys.Where(key => key.Length <= 128).Select((key, i) => run.Saga(key, i + 10) with { WaitKey = key }),
        ];
        foreach (var entry in entries)
        {
            Expect.That(await run.Sagas.CreateAsync(entry, default), $"the saga '{entry.Id}' is kept");
        }

        var numbers = new List<long>();
        foreach (var entry in entries)
        {
            var found = await run.Sagas.FindAsync(entry.Id, default);
            Expect.Equal(Sample.Describe(entry), Sample.Describe(found), $"the saga '{entry.Id}'");
            Expect.Equal(1, found!.Version, $"the version of the new saga '{entry.Id}'");
            numbers.Add(found.Number);

            // Changes every value that can change.
            var changed = found with
            {
                Status = SagaStatus.Compensating,
                Claim = found.Claim + 1,
                DueAt = found.DueAt is null ? run.In(99) : null,
                AlertAt = found.AlertAt is null ? run.In(98) : null,
                WaitKey = found.WaitKey is null ? "key" : null,
                KeepUntil = found.KeepUntil is null ? run.In(97) : null,
                ChangedAt = run.In(96),
                Content = new byte[] { 1, 2, 3 },
            };
            Expect.That(await run.Sagas.SaveAsync(changed, default), $"the saga '{entry.Id}' is saved");
            found = await run.Sagas.FindAsync(entry.Id, default);
            Expect.Equal(Sample.Describe(changed), Sample.Describe(found), $"the saga '{entry.Id}' that was saved");
            Expect.Equal(
                (2, changed.Number),
                (found!.Version, found.Number),
                $"version and number of the saga '{entry.Id}' that was saved");
        }

        Expect.Sequence(numbers.Order().Distinct(), numbers, "the numbers of the sagas, in the order in which they were started");
        Expect.Equal(null, await run.Sagas.FindAsync("unknown", default), "a saga that was never started");
    }

    private static async Task CreatedOnceAsync(StoreRun run)
    {
        var other = (await run.OtherAsync()).Sagas!;
        Expect.That(await run.Sagas.CreateAsync(run.Saga("1", 5), default), "a new saga is kept");
        Expect.That(!await other.CreateAsync(
            run.Saga("1", 0, "other", SagaStatus.Completed) with { WaitKey = "k", AlertAt = run.Now, KeepUntil = run.Now },
            default), "a copy on another instance is refused");
        var kept = await other.FindAsync("1", default);
        Expect.Equal(Sample.Describe(run.Saga("1", 5)), Sample.Describe(kept), "the saga after a copy was refused");
        Expect.Equal(
            0,
            (await run.Sagas.ListDueAsync(["trip", "other"], run.In(4), 10, default)).Entries.Count,
            "the number of due sagas after a copy was refused");
        Expect.Equal(0, (await run.Sagas.FindWaitingAsync("k", 10, default)).Count, "the number of sagas that wait for the copy's key");

        var ended = kept! with { Status = SagaStatus.Completed, DueAt = null, KeepUntil = run.In(60) };
        Expect.That(await run.Sagas.SaveAsync(ended, default), "the saga ends");
        Expect.That(!await run.Sagas.CreateAsync(run.Saga("1", 0), default), "the id of a saga that has ended is refused");
        Expect.Equal(Sample.Describe(ended), Sample.Describe(await run.Sagas.FindAsync("1", default)), "the saga that has ended");
        Expect.Equal(1, await run.Sagas.CountAsync(new SagaFilter(), default), "the number of sagas");
    }

    private static async Task CreatedAtOnceAsync(StoreRun run)
    {
        SagaStore[] instances = [run.Sagas, (await run.OtherAsync()).Sagas!];
        for (var i = 0; i < 30; i++)
        {
            var copies = Enumerable.Range(0, 4).Select(copy => run.Saga($"{i}") with { Claim = copy }).ToList();
            var kept = await Task.WhenAll(copies.Select((entry, copy) => instances[copy % 2].CreateAsync(entry, default).AsTask()));
            Expect.Equal(1, kept.Count(one => one), "how many of four copies that start at once are kept");
            Expect.Equal(
                Sample.Describe(copies[Array.IndexOf(kept, true)]),
                Sample.Describe(await run.Sagas.FindAsync($"{i}", default)),
                "the saga that is kept");
        }

        var listed = await run.Sagas.ListAsync(new SagaFilter(), default);
        Expect.Equal(
            (30, 30),
            (listed.Count, listed.Select(entry => entry.Number).Distinct().Count()),
            "the number of sagas, and of different numbers");
    }

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
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(9.999), 10, default), "how many are swept before their time");
        Expect.Equal(2, await run.Sagas.SweepAsync(run.In(10.001), 2, default), "how many of three are swept when two are asked for");
        Expect.Equal(1, await run.Sagas.SweepAsync(run.In(10.001), 2, default), "how many are swept then");
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(10.001), 2, default), "how many are left to sweep");

        Expect.Equal(null, await run.Sagas.FindAsync("a", default), "a saga that was swept");
        Expect.That(!await run.Sagas.SaveAsync(first, default), "a save of what was swept is refused");
        Expect.Sequence(
            ["alive", "later"],
            (await run.Sagas.ListAsync(new SagaFilter(), default)).Select(entry => entry.Id),
            "the sagas after the sweep, the latest first");
        Expect.Sequence(
            ["alive"],
            (await run.Sagas.ListDueAsync(["trip"], run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "what is due after the sweep");
        Expect.Sequence(
            ["alive"],
            (await run.Sagas.ListAlertsAsync(run.Now, 10, default)).Entries.Select(entry => entry.Id),
            "what needs an alert after the sweep");
        Expect.Sequence(["alive"], await run.Sagas.FindWaitingAsync("k", 10, default), "what waits after the sweep");
        Expect.Equal((2, 1), (await run.Sagas.CountAsync(new SagaFilter(), default), await run.Sagas.CountAsync(
            new SagaFilter { Status = SagaStatus.Completed },
            default)), "the number of sagas after the sweep, and of completed ones");

        Expect.That(await run.Sagas.CreateAsync(run.Saga("a", 0), default), "an id that was swept is created again");
        var again = (await run.Sagas.FindAsync("a", default))!;
        Expect.That(
            again.Version == 1 && again.Number > first.Number,
            $"a saga with the version 1 and a number above {first.Number}",
            again);
        Expect.Equal(0, await run.Sagas.SweepAsync(run.In(15), 10, default), "how many are swept after the id was created again");

        // A saga whose retention is extended is kept longer.
        Expect.That(
            await run.Sagas.SaveAsync((await run.Sagas.FindAsync("later", default))! with { KeepUntil = run.In(40) }, default),
            "a later end is saved");
        Expect.Equal(
            (0, 1),
            (await run.Sagas.SweepAsync(run.In(30), 10, default), await run.Sagas.SweepAsync(run.In(41), 10, default)),
            "how many are swept at the time from before, and at the later one");
    }

    private static async Task UnreadableAsync(StoreRun run)
    {
        foreach (var (id, due) in new[] { ("1", 1), ("2", 2), ("3", 3) })
        {
            await run.Sagas.CreateAsync(run.Saga(id, due) with { AlertAt = run.In(due), WaitKey = "k" }, default);
        }

        var before = (await run.Sagas.FindAsync("2", default))!;
        await run.Backend.CorruptSagaAsync(run.Isolation, "2", default);
        var listed = await run.Sagas.ListAsync(new SagaFilter { Saga = "trip", Status = SagaStatus.Running }, default);
        var due2 = await run.Sagas.ListDueAsync(["trip"], run.In(10), 10, default);
        var alerts = await run.Sagas.ListAlertsAsync(run.In(10), 10, default);
        Expect.Sequence(["3", "2", "1"], listed.Select(entry => entry.Id), "the list with a damaged saga");
        Expect.Sequence(["1", "2", "3"], due2.Entries.Select(entry => entry.Id), "what is due with a damaged saga");
        Expect.Sequence(["1", "2", "3"], alerts.Entries.Select(entry => entry.Id), "what needs an alert with a damaged saga");
        Expect.Sequence(["1", "2", "3"], await run.Sagas.FindWaitingAsync("k", 10, default), "what waits with a damaged saga");
        Expect.Equal(3, await run.Sagas.CountAsync(new SagaFilter(), default), "the count with a damaged saga");
        foreach (var entry in (SagaEntry[])[listed[1], due2.Entries[1], alerts.Entries[1], (await run.Sagas.FindAsync("2", default))!])
        {
            Expect.That(
                entry is { Defect.Length: > 0, Content.IsEmpty: true, Saga: "trip" },
                "an entry without content that says its name and its defect",
                entry);
        }

        Expect.That(listed[0].Defect is null && listed[2].Defect is null, "the others have no defect");

        // Acts like the bus: marks the saga for the operators, and does not retry it.
        var halted = due2.Entries[1] with
        {
            Status = SagaStatus.NeedsAttention,
            Claim = 2,
            DueAt = null,
            AlertAt = null,
            WaitKey = null,
            ChangedAt = run.In(10)
        };
        Expect.That(await run.Sagas.SaveAsync(halted, default), "what cannot be read is put aside");
        Expect.That(!await run.Sagas.SaveAsync(before, default), "a save from before is refused");
        Expect.Sequence(
            ["1", "3"],
            (await run.Sagas.ListDueAsync(["trip"], run.In(10), 10, default)).Entries.Select(entry => entry.Id),
            "what is due then");
        Expect.Sequence(
            ["1", "3"],
            (await run.Sagas.ListAlertsAsync(run.In(10), 10, default)).Entries.Select(entry => entry.Id),
            "what needs an alert then");
        Expect.Sequence(
            ["2"],
            (await run.Sagas.ListAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, default)).Select(entry => entry.Id),
            "what needs attention");
        Expect.Equal((2, 1), (
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, default),
            await run.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, default)),
                "how many run, and need attention");
        var after = await run.Sagas.FindAsync("2", default);
        Expect.That(
            after is { Defect: not null } || after?.Content.Span.SequenceEqual(before.Content.Span) == true,
            "the saga has its content or says its defect",
            after);
    }
}
