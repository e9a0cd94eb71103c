using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests claims of two instances at the same time: each entry is returned once.</summary>
internal static class ConcurrentClaimScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "claims-at-once",
            "Two instances that claim at the same time never get the same entry, and together they get all entries, so that instances "
                + "share the work.",
            ClaimsAtOnceAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task ClaimsAtOnceAsync(StoreRun run)
    {
        const int Count = 200;
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        await run.RecordAsync([.. Enumerable.Range(0, Count).Select(i => run.Waiting($"{i}", -i, i % 3 == 0 ? $"line {i}" : null))]);
        var received = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => WorkAsync(instances[worker % 2])));

        Expect.Sequence(
            Enumerable.Range(0, Count),
            received.Select(id => int.Parse(id, System.Globalization.CultureInfo.InvariantCulture)).Order(),
            "the entries that eight workers on two instances received");
        Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after all were completed");

        async Task WorkAsync(KeyedFailureStore store)
        {
            await Task.Yield();
            DueBatch<FailedEvent> claimed;
            do
            {
                claimed = await store.ClaimDueAsync(["mail"], run.Now, StoreRun.Lease, 7, default);
                foreach (var entry in claimed.Entries)
                {
                    received.Add(entry.Envelope.Id);
                    await store.CompleteAsync(entry, default);
                }
            }
            while (claimed.Entries.Count > 0);
        }
    }
}
