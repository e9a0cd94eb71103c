namespace EventBus.Conformance;

/// <summary>Tests the cancellation of delayed events: an event is either cancelled or published.</summary>
internal static class DelayCancelScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "delayed-cancel",
            "A delayed event is listed and can be cancelled until an instance claims it, and a cancelled event is never returned, so that "
                + "a caller can rely on the answer.",
            CancelAsync) { SkipUnless = StoreRule.Delays },
        new(
            "delayed-cancel-at-once",
            "If an event is cancelled and claimed at the same time, exactly one of the two succeeds, so that no event is both cancelled "
                + "and published, and none is lost.",
            CancelAtOnceAsync) { SkipUnless = StoreRule.Delays },
    ];

    private static async Task CancelAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Delays!;
        foreach (var (id, due) in new[] { ("b", 20.0), ("a", 10), ("c", 30) })
        {
            await run.Delays.AddAsync(Sample.Event(id), run.In(due), default);
        }

        await ExpectListedAsync(["a", "b", "c"], "before a cancellation");
        Expect.Equal(run.In(10), (await other.ListAsync(1, default))[0].DueAt, "the due time that is listed");
        Expect.Sequence(["order.placed"], (await other.ListAsync(1, default)).Select(found => found.EventName), "the name that is listed");
        Expect.That(await other.CancelAsync("b", default), "a waiting event is cancelled", "the answer was false");
        Expect.That(!await run.Delays.CancelAsync("b", default), "an event is cancelled once only", "the answer was true twice");
        Expect.That(!await run.Delays.CancelAsync("unknown", default), "an unknown event is not cancelled", "the answer was true");
        await ExpectListedAsync(["a", "c"], "after a cancellation");
        Expect.Equal(2, await run.Delays.CountAsync(default), "the number of events after a cancellation");

        var claimed = await run.ClaimDelayedAsync(15);
        Expect.Sequence(["a"], claimed.Select(envelope => envelope.Id), "the events that are due after 15 s");
        Expect.That(!await other.CancelAsync("a", default), "an event that is being published is not cancelled", "the answer was true");
        await ExpectListedAsync(["c"], "while one is being published");
        await run.Delays.RemoveAsync(claimed[0], default);
        Expect.Sequence(["c"], (await run.ClaimDelayedAsync(1_000)).Select(envelope => envelope.Id), "the entries that are due in the end");

        async Task ExpectListedAsync(IEnumerable<string> ids, string when) =>
            Expect.Sequence(ids, (await other.ListAsync(10, default)).Select(found => found.EventId), $"the events that are listed {when}");
    }

    private static async Task CancelAtOnceAsync(StoreRun run)
    {
        const int Count = 100;
        var other = (await run.OpenSecondInstanceAsync()).Delays!;
        for (var i = 0; i < Count; i++)
        {
            await run.Delays.AddAsync(Sample.Event($"{i}"), run.Now, default);
        }

        var cancelling = Task.WhenAll(Enumerable.Range(0, Count).Select(i => CancelAsync($"{i}")));
        var claimed = new List<string>();
        var batch = await run.ClaimDelayedAsync(0, 7);
        while (batch.Count > 0)
        {
            claimed.AddRange(batch.Select(envelope => envelope.Id));
            batch = await run.ClaimDelayedAsync(0, 7);
        }

        var cancelled = (await cancelling).Where(result => result.Cancelled).Select(result => result.Id);

        // An event whose cancellation failed must not be missing.
        claimed.AddRange((await run.ClaimDelayedAsync(0, Count)).Select(envelope => envelope.Id));
        Expect.Sequence(
            Enumerable.Range(0, Count).Select(i => $"{i}").Order(StringComparer.Ordinal),
            claimed.Concat(cancelled).Order(StringComparer.Ordinal),
            "the events that were either cancelled or claimed");

        async Task<(string Id, bool Cancelled)> CancelAsync(string id)
        {
            // A store that completes its calls synchronously would cancel all events before the first claim.
            await Task.Yield();
            return (id, await other.CancelAsync(id, default));
        }
    }
}
