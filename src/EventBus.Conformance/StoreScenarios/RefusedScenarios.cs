using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests refused writes: an entry that a store cannot write does not affect other entries.</summary>
internal static class RefusedScenarios
{
    private const int Writes = 40;

    // Every fourth write is one that the store may refuse.
    private const int GoodWrites = Writes / 4 * 3;

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "one-write-fails",
            "A write that fails for one entry stores nothing of it and does not affect other writes, also concurrent ones, so that an "
                + "event that cannot be stored affects no other event.",
            OneFailsAsync)
        {
            SkipUnless = StoreRule.Failures,
        },
        new(
            "one-delay-fails",
            "A delayed event that cannot be stored leaves nothing behind and does not affect others, so that only its publisher gets the "
                + "error.",
            OneDelayFailsAsync) { SkipUnless = StoreRule.Delays },
        new(
            "one-mark-fails",
            "If a mark cannot be written, the claim stays as it was and other events are not affected, so that an event that cannot be "
                + "stored affects no other event.",
            OneMarkFailsAsync) { SkipUnless = StoreRule.Processed },
    ];

    private static async Task OneFailsAsync(StoreRun run)
    {
        var bad = run.Waiting("bad") with { Envelope = await UnserializableEvent.CreateAsync("bad") };
        await run.RecordAsync(run.Dead("head", "k"));

        // A store of bytes refuses the entry that cannot be serialized. A store of objects accepts it, once.
        var records = await Task.WhenAll(Enumerable.Range(0, Writes)
            .Select(i => TryAsync(() => run.Failures.RecordAsync(IsBad(i) ? bad : run.Waiting($"{i}"), default))));
        Expect.Equal(
            GoodWrites,
            records.Index().Count(record => !IsBad(record.Index) && record.Item),
            "the number of other entries that were kept at the same time");
        var kept = records.Index().Count(record => IsBad(record.Index) && record.Item);
        Expect.That(kept <= 1, "at most one copy of the entry that cannot be serialized is kept", kept);
        Expect.Equal(GoodWrites + 1 + kept, await run.Failures.CountAsync(default), "the number of entries");

        var storesObjects = kept == 1;
        var parked = await TryAsync(async () => await run.Failures.TryParkAsync(
            run.Parked("bad-parked", "k") with { Envelope = await UnserializableEvent.CreateAsync("bad-parked") },
            10,
            default) == ParkOutcome.Parked);
        Expect.Equal(storesObjects, parked, "whether an entry that cannot be serialized is parked");
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("good-parked", "k"));
        var deferred = await TryAsync(async () => await run.Failures.DeferAsync(
            run.Deferred("bad-deferred", "o", 1, 100) with { Envelope = await UnserializableEvent.CreateAsync("bad-deferred") },
            0,
            10,
            default) == DeferOutcome.Deferred);
        Expect.Equal(storesObjects, deferred, "whether an entry that cannot be serialized is deferred");
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("good-deferred", "o", 2, 100), 0, 10, default),
            "the answer to deferring another entry");

        var due = (await run.ClaimAsync()).Select(entry => entry.Envelope.Id).ToHashSet();
        Expect.That(
            Enumerable.Range(0, Writes).Where(i => !IsBad(i)).All(i => due.Contains($"{i}")),
            "all others are due",
            string.Join(", ", due));
        Expect.Equal(storesObjects, due.Contains("bad"), "whether an entry that cannot be serialized is due");
        Expect.Equal(GoodWrites + 3 + (3 * kept), await run.Failures.CountAsync(default), "the number of entries in the end");
    }

    private static async Task OneDelayFailsAsync(StoreRun run)
    {
        var bad = await UnserializableEvent.CreateAsync("bad");
        var adds = await Task.WhenAll(Enumerable.Range(0, Writes).Select(i => TryAsync(async () =>
        {
            await run.Delays.AddAsync(IsBad(i) ? bad : Sample.Event($"{i}"), run.Now, default);
            return true;
        })));
        Expect.Equal(
            GoodWrites,
            adds.Index().Count(add => !IsBad(add.Index) && add.Item),
            "the number of other events that were kept at the same time");
        var kept = adds.Index().Any(add => IsBad(add.Index) && add.Item) ? 1 : 0;
        Expect.Equal(GoodWrites + kept, await run.Delays.CountAsync(default), "the number of delayed events");
        Expect.Equal(
            GoodWrites + kept,
            (await run.Delays.ClaimDueAsync(run.Now, StoreRun.Lease, 1_000, default)).Entries.Count,
            "the number of events that are due");
    }

    private static async Task OneMarkFailsAsync(StoreRun run)
    {
        var bad = await UnserializableEvent.CreateAsync("bad");
        var keys = Enumerable.Range(0, Writes).Select(i => new ProcessedKey(Sample.Subscription, $"{i}")).ToArray();
        var claims = await Task.WhenAll(keys.Select(key => run.Processed.ClaimAsync(key, 0, run.Now, StoreRun.Lease, default).AsTask()));
        var marks = await Task.WhenAll(keys.Select((key, i) => TryAsync(() => CompleteAsync(i, IsBad(i) ? bad : Sample.Event("after")))));
        Expect.Equal(
            GoodWrites,
            marks.Index().Count(mark => !IsBad(mark.Index) && mark.Item),
            "the number of other events that were marked at the same time");

        for (var i = 0; i < Writes; i++)
        {
            Expect.That(
                marks[i] || await CompleteAsync(i, Sample.Event("instead")),
                $"the claim of {keys[i]} holds after the write that failed");
        }

        ValueTask<bool> CompleteAsync(int i, Envelope outbox) =>
            run.Processed.CompleteAsync(keys[i], claims[i].FencingToken, new Completion([outbox], [], run.In(1_000)), default);
    }

    private static bool IsBad(int i) => i % 4 == 3;

    /// <summary>Returns the result of a write; false if it throws.</summary>
    private static async Task<bool> TryAsync(Func<ValueTask<bool>> write)
    {
        try
        {
            return await write();
        }
        catch (Exception)
        {
            return false;
        }
    }
}
