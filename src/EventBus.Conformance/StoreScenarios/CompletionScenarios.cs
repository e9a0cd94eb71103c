using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the completion of claims: what is kept of a handled event, and for how long.</summary>
internal static class CompletionScenarios
{
    private static readonly ProcessedKey Key = ProcessedSteps.Key;

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "handled-completed-again",
            "A second completion with the same fencing token gets the same answer as the first and changes nothing, so that a lost answer "
                + "does not start a second run.",
            CompletedAgainAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-outbox",
            "The events that the handler published are stored with the done key, in order and complete, until they are sent, so that a "
                + "crash in between loses no event.",
            OutboxAsync) { SkipUnless = StoreRule.Processed },
        new(
            "handled-retention",
            "Done keys are removed when their retention has ended, up to a maximum number, unless their events are not sent; abandoned "
                + "claims are removed too, so that a store does not grow without limit.",
            SweepAsync) { SkipUnless = StoreRule.Processed },
    ];

    private static async Task CompletedAgainAsync(StoreRun run)
    {
        var claim = await run.ClaimKeyAsync(Key);
        Expect.That(await run.Processed.CompleteAsync(Key, claim.FencingToken, run.Done("a"), default), "the owner completes");
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, run.Done("a"), default),
            "the same call again gets the same answer");
        await ExpectOutboxAsync("a");
        await run.Processed.MarkDispatchedAsync(Key, default);
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, run.Done("a"), default),
            "the same call after the sending gets the same answer");
        await ExpectOutboxAsync();
        await run.Processed.MarkDispatchedAsync(Key, default);
        await run.Processed.MarkDispatchedAsync(new ProcessedKey("mail", "unknown"), default);

        async Task ExpectOutboxAsync(params string[] ids) => Expect.Sequence(
            ids,
            (await run.Processed.ClaimAsync(Key, 0, run.Now, StoreRun.Lease, default)).Outbox.Select(envelope => envelope.Id),
            "the events that are left to send");
    }

    private static async Task OutboxAsync(StoreRun run)
    {
        var other = (await run.OpenSecondInstanceAsync()).Processed!;
        var claim = await run.ClaimKeyAsync(Key);
        Expect.That(
            await run.Processed.CompleteAsync(Key, claim.FencingToken, new Completion(Sample.Envelopes, [], run.In(3_600)), default),
            "the owner completes");

        // The second time is after the lease of the claim.
        foreach (var at in new[] { 0, 100 })
        {
            var again = await other.ClaimAsync(Key, 0, run.In(at), StoreRun.Lease, default);
            Expect.Equal((ProcessedState.Done, 0L), (again.State, again.FencingToken), "the answer to a redelivery");
            Expect.Equal(Sample.Envelopes.Count, again.Outbox.Count, "the number of events that are left to send");
            foreach (var (expected, actual) in Sample.Envelopes.Zip(again.Outbox))
            {
                Expect.Equal(Description.Of(expected), Description.Of(actual), $"the event '{expected.Id}' that is left to send");
            }
        }

        await other.MarkDispatchedAsync(Key, default);
        var sent = await run.Processed.ClaimAsync(Key, 0, run.Now, StoreRun.Lease, default);
        Expect.Equal((ProcessedState.Done, 0), (sent.State, sent.Outbox.Count), "state and number of events after the sending");
    }

    private static async Task SweepAsync(StoreRun run)
    {
        for (var i = 0; i < 6; i++)
        {
            await CompleteAsync($"{i}", i, []);
        }

        await CompleteAsync("unsent", 0, ["a"]);
        await run.ClaimKeyAsync(new ProcessedKey("mail", "held"));
        Expect.Equal(
            0,
            await run.Processed.SweepAsync(run.In(-1), 100, default),
            "the number of keys that are removed before any retention has ended");
        Expect.Equal(
            2,
            await run.Processed.SweepAsync(run.In(3.5), 2, default),
            "the number of keys that are removed with a limit of 2");
        Expect.Equal(2, await run.Processed.SweepAsync(run.In(3.5), 100, default), "the number of keys that are left to remove");
        Expect.Equal(4, await run.Processed.CountAsync(default), "the number of keys after the sweep");
        await run.ExpectKeyAsync(ProcessedState.Done, key: new ProcessedKey("mail", "4"));
        await run.ExpectKeyAsync(ProcessedState.Done, key: new ProcessedKey("mail", "unsent"));
        await run.ExpectKeyAsync(ProcessedState.InProgress, key: new ProcessedKey("mail", "held"));

        await run.Processed.MarkDispatchedAsync(new ProcessedKey("mail", "unsent"), default);
        Expect.Equal(
            1,
            await run.Processed.SweepAsync(run.In(3.5), 100, default),
            "the number of keys that are removed once all events were sent");

        // Keys that were removed are new again.
        foreach (var removed in new[] { "0", "unsent" })
        {
            await run.ClaimKeyAsync(new ProcessedKey("mail", removed));
        }

        const int TwoDays = 2 * 24 * 3_600;
        await run.Processed.SweepAsync(run.In(TwoDays), 100, default);
        Expect.Equal(0, await run.Processed.CountAsync(default), "the number of keys after a sweep a day after the last lease has ended");

        async Task CompleteAsync(string id, double keep, string[] outbox)
        {
            var key = new ProcessedKey("mail", id);
            var claim = await run.ClaimKeyAsync(key);
            Expect.That(
                await run.Processed.CompleteAsync(key, claim.FencingToken, run.Done(outbox) with { KeepUntil = run.In(keep) }, default),
                $"'{id}' is completed");
        }
    }
}
