using System.Text;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests new sagas: a saga is stored completely and once.</summary>
internal static class SagaScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "saga-round-trip",
            "A saga is stored and returned completely, with any id, key and content, so that it continues with its state.",
            RoundTripAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-created-once",
            "An id that is in use is not created again, in any status of its saga, so that a repeated request starts nothing twice.",
            CreatedOnceAsync) { SkipUnless = StoreRule.Sagas },
        new(
            "saga-created-at-once",
            "If copies of a request start a saga at the same time on two instances, exactly one is stored, so that a trip is booked once.",
            CreatedAtOnceAsync) { SkipUnless = StoreRule.Sagas },
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
            .. Sample.UnusualKeys.Where(key => key.Length <= 128).Select((key, i) => run.Saga(key, i + 10) with { WaitKey = key }),
        ];
        foreach (var entry in entries)
        {
            Expect.That(await run.Sagas.CreateAsync(entry, default), $"the saga '{entry.Id}' is kept");
        }

        var numbers = new List<long>();
        foreach (var entry in entries)
        {
            var found = await run.Sagas.FindAsync(entry.Id, default);
            Expect.Equal(Description.Of(entry), Description.Of(found), $"the saga '{entry.Id}'");
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
            Expect.Equal(Description.Of(changed), Description.Of(found), $"the saga '{entry.Id}' that was saved");
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
        var other = (await run.OpenSecondInstanceAsync()).Sagas!;
        Expect.That(await run.Sagas.CreateAsync(run.Saga("1", 5), default), "a new saga is kept");
        Expect.That(!await other.CreateAsync(
            run.Saga("1", 0, "other", SagaStatus.Completed) with { WaitKey = "k", AlertAt = run.Now, KeepUntil = run.Now },
            default), "a copy on another instance is refused");
        var kept = await other.FindAsync("1", default);
        Expect.Equal(Description.Of(run.Saga("1", 5)), Description.Of(kept), "the saga after a copy was refused");
        Expect.Equal(
            0,
            (await run.Sagas.ListDueAsync(["trip", "other"], run.In(4), 10, default)).Entries.Count,
            "the number of due sagas after a copy was refused");
        Expect.Equal(0, (await run.Sagas.FindWaitingAsync("k", 10, default)).Count, "the number of sagas that wait for the copy's key");

        var ended = kept! with { Status = SagaStatus.Completed, DueAt = null, KeepUntil = run.In(60) };
        Expect.That(await run.Sagas.SaveAsync(ended, default), "the saga ends");
        Expect.That(!await run.Sagas.CreateAsync(run.Saga("1", 0), default), "the id of a saga that has ended is refused");
        Expect.Equal(Description.Of(ended), Description.Of(await run.Sagas.FindAsync("1", default)), "the saga that has ended");
        Expect.Equal(1, await run.Sagas.CountAsync(new SagaFilter(), default), "the number of sagas");
    }

    private static async Task CreatedAtOnceAsync(StoreRun run)
    {
        SagaStore[] instances = [run.Sagas, (await run.OpenSecondInstanceAsync()).Sagas!];
        for (var i = 0; i < 30; i++)
        {
            var copies = Enumerable.Range(0, 4).Select(copy => run.Saga($"{i}") with { Claim = copy }).ToList();
            var kept = await Task.WhenAll(copies.Select((entry, copy) => instances[copy % 2].CreateAsync(entry, default).AsTask()));
            Expect.Equal(1, kept.Count(stored => stored), "the number of stored copies of four that start at once");
            Expect.Equal(
                Description.Of(copies[Array.IndexOf(kept, true)]),
                Description.Of(await run.Sagas.FindAsync($"{i}", default)),
                "the saga that is kept");
        }

        var listed = await run.Sagas.ListAsync(new SagaFilter(), default);
        Expect.Equal(
            (30, 30),
            (listed.Count, listed.Select(entry => entry.Number).Distinct().Count()),
            "the number of sagas, and of different numbers");
    }
}
