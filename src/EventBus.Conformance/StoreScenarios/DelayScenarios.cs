using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests delayed events: they wait until they are due, and are kept until they are published.</summary>
internal static class DelayScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "delayed-round-trip",
            "A delayed event is stored and returned completely, with any attributes, key and body, so that the event that is published "
                + "later is the one that was delayed.",
            RoundTripAsync) { SkipUnless = StoreRule.Delays },
        new(
            "delayed-in-order",
            "Delayed events are returned at their time and not before, the oldest first, and the store reports when the next one is due, "
                + "so that reminders are on time.",
            InOrderAsync) { SkipUnless = StoreRule.Delays },
        new(
            "delayed-once",
            "Adding an event again changes nothing, so that a publish that is repeated is published once.",
            OnceAsync) { SkipUnless = StoreRule.Delays },
        new(
            "delayed-lease",
            "An event that was claimed and not removed in time is due again, so that a crash loses no reminder.",
            LeaseAsync) { SkipUnless = StoreRule.Delays },
        new(
            "delayed-claims-at-once",
            "Two instances that claim at the same time never get the same event, and together they get all events, so that instances share "
                + "the work.",
            AtOnceAsync) { SkipUnless = StoreRule.Delays },
    ];

    private static async Task RoundTripAsync(StoreRun run)
    {
        foreach (var envelope in Sample.Envelopes)
        {
            await run.Delays.AddAsync(envelope, run.Now, default);
        }

        var claimed = await run.ClaimDelayedAsync(0, 1_000);
        var found = claimed.ToDictionary(envelope => envelope.Id);
        foreach (var envelope in Sample.Envelopes)
        {
            var actual = found.GetValueOrDefault(envelope.Id);
            Expect.Equal(Description.Of(envelope), Description.Of(actual), $"the delayed event '{envelope.Id}'");
            await run.Delays.RemoveAsync(actual!, default);
        }

        Expect.Equal(0, await run.Delays.CountAsync(default), "the number of events after all were removed");
    }

    private static async Task InOrderAsync(StoreRun run)
    {
        foreach (var (id, due) in new[] { ("b", 10.0), ("c", 20.001), ("a", 5), ("d", 20.002), ("far", 100_000_000) })
        {
            await run.Delays.AddAsync(Sample.Event(id), run.In(due), default);
        }

        var none = await run.Delays.ClaimDueAsync(run.In(4.999), StoreRun.Lease, 10, default);
        Expect.Equal(
            (0, run.In(5)),
            (none.Entries.Count, none.NextDue),
            "the entries that are due before the first time, and when the next is due");
        Expect.Equal(2, await run.Delays.CountDueAsync(run.In(10), default), "the number of events that are due after 10 s");
        var first = await run.Delays.ClaimDueAsync(run.In(20.001), StoreRun.Lease, 2, default);
        Expect.Sequence(["a", "b"], first.Entries.Select(envelope => envelope.Id), "the first two that are due");
        Expect.Equal(run.In(20.001), first.NextDue, "when the next is due");
        await RemoveAsync(first.Entries);
        var second = await run.Delays.ClaimDueAsync(run.In(20.001), StoreRun.Lease, 2, default);
        Expect.Sequence(["c"], second.Entries.Select(envelope => envelope.Id), "the other entries that are due");
        await RemoveAsync(second.Entries);
        await RemoveAsync(await run.ClaimDelayedAsync(30));
        Expect.Equal(
            run.In(100_000_000),
            (await run.Delays.ClaimDueAsync(run.In(30), StoreRun.Lease, 2, default)).NextDue,
            "when the last is due");
        Expect.Equal(1, await run.Delays.CountAsync(default), "the number of events that are left");

        async Task RemoveAsync(IEnumerable<Envelope> events)
        {
            foreach (var envelope in events)
            {
                await run.Delays.RemoveAsync(envelope, default);
            }
        }
    }

    private static async Task OnceAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Delays!;
        await run.Delays.AddAsync(Sample.Event("1"), run.In(10), default);
        await other.AddAsync(Sample.Event("1", "order.changed"), run.Now, default);
        Expect.Equal(0, (await run.ClaimDelayedAsync(9)).Count, "the number of due events before the time of the first copy");
        var claimed = await run.ClaimDelayedAsync(10);
        Expect.Sequence(
            ["order.placed 1"],
            claimed.Select(envelope => $"{envelope.Name} {envelope.Id}"),
            "the event that is due at the time of the first copy");
        await run.Delays.AddAsync(Sample.Event("1"), run.In(10), default);
        Expect.Equal(0, (await run.ClaimDelayedAsync(11)).Count, "the number of due events after a copy of a claimed event was added");
        await run.Delays.RemoveAsync(claimed[0], default);
        await run.Delays.RemoveAsync(claimed[0], default);
        Expect.Equal(0, await run.Delays.CountAsync(default), "the number of events after one was removed twice");
    }

    private static async Task LeaseAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Delays!;
        await run.Delays.AddAsync(Sample.Event("1"), run.Now, default);
        Expect.Equal(1, (await run.ClaimDelayedAsync(0)).Count, "the number of due events");
        Expect.Equal(
            0,
            (await other.ClaimDueAsync(run.In(59), StoreRun.Lease, 10, default)).Entries.Count,
            "the number of due events during the lease");
        Expect.Equal(1, await run.Delays.CountDueAsync(run.Now, default), "the number of due events, including claimed ones");
        var again = (await other.ClaimDueAsync(run.In(61), StoreRun.Lease, 10, default)).Entries;
        Expect.Sequence(["1"], again.Select(envelope => envelope.Id), "the entries that are due after the lease");
        await other.RemoveAsync(again[0], default);
        Expect.Equal(0, (await run.ClaimDelayedAsync(1_000)).Count, "the number of due events after the removal");
        Expect.Equal(0, await run.Delays.CountDueAsync(run.In(1_000), default), "the number of due events after the removal");
    }

    private static async Task AtOnceAsync(StoreRun run)
    {
        const int Count = 150;
        DelayStore[] instances = [run.Delays, (await run.OpenSecondInstanceAsync()).Delays!];
        await Task.WhenAll(
            Enumerable.Range(0, Count).Select(i => instances[i % 2].AddAsync(Sample.Event($"{i}"), run.In(-i), default).AsTask()));
        var received = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => WorkAsync(instances[worker % 2])));
        Expect.Equal(
            (Count, Count),
            (received.Count, received.Distinct().Count()),
            "the number of events that eight workers on two instances received, and of different ones");
        Expect.Equal(0, await run.Delays.CountAsync(default), "the number of events that are left");

        async Task WorkAsync(DelayStore store)
        {
            await Task.Yield();
            DueBatch<Envelope> claimed;
            do
            {
                claimed = await store.ClaimDueAsync(run.Now, StoreRun.Lease, 7, default);
                foreach (var envelope in claimed.Entries)
                {
                    received.Add(envelope.Id);
                    await store.RemoveAsync(envelope, default);
                }
            }
            while (claimed.Entries.Count > 0);
        }
    }
}
