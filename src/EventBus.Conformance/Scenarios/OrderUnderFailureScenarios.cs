namespace EventBus.Conformance;

/// <summary>Tests order under failure: a failed event holds back the later events of its key, up to a limit.</summary>
internal static class OrderUnderFailureScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "order-under-failure",
            "A failed event holds back the later events of its own key only, and they follow in order once it succeeds, is retried or is "
                + "discarded, so that failure never reorders.",
            OrderUnderFailureAsync) { SkipUnless = TransportRule.Ordered },
        new(
            "blocked-key-is-bounded",
            "Beyond a limit the events behind a failed one join the dead letters in order, so that one blocked key cannot fill the store.",
            BlockedKeyAsync) { SkipUnless = TransportRule.Ordered },
    ];

    private static async Task OrderUnderFailureAsync(TransportRun run)
    {
        var handled = new Ledger<string>();
        var repaired = false;
        var node = await run.StartAsync(bus => bus.Retry(maxRetryAttempts: 2, delay: TimeSpan.FromMilliseconds(1))
            .Subscribe("line", s => s.Ordered().On<ParcelSent>(async (e, context, _) =>
            {
                await Task.Yield();
                var fails = e.Number == 1 && context.Key switch
                {
                    "retried" or "discarded" => !Volatile.Read(ref repaired),
                    "recovers" => context.Attempt < 3,
                    _ => false,
                };
                handled.Add($"{context.Key} {e.Number}{(fails ? " failed" : "")}");
                if (fails)
                {
                    throw new InvalidOperationException("The handler fails on purpose.");
                }
            })));

        string[] keys = ["retried", "discarded", "recovers", "healthy"];
        await PublishAsync(0, 4);
        await node.Alerts.WaitForCountAsync(2, "an alert is raised");
        await PublishAsync(4, 6);
        await Expect.WithinAsync(Task.WhenAll(
            handled.WaitUntilAsync(Contains("healthy 5"), "healthy 5 is handled"),
            handled.WaitUntilAsync(Contains("recovers 5"), "recovers 5 is handled")), "the other keys continue");
        await node.WhenIdleAsync();
        ExpectKey(handled, "healthy", "0", "1", "2", "3", "4", "5");
        ExpectKey(handled, "recovers", "0", "1 failed", "1 failed", "1", "2", "3", "4", "5");
        ExpectKey(handled, "retried", "0", "1 failed", "1 failed", "1 failed");
        ExpectKey(handled, "discarded", "0", "1 failed", "1 failed", "1 failed");

        Volatile.Write(ref repaired, true);
        var letters = await node.DeadLetters.ListAsync();
        Expect.That(await node.DeadLetters.RetryAsync(letters.Single(letter => letter.Key == "retried").Id), "the retry is accepted");
        Expect.That(
            await node.DeadLetters.DiscardAsync(letters.Single(letter => letter.Key == "discarded").Id, "tried out"),
            "the discard is accepted");
        await Expect.WithinAsync(Task.WhenAll(
            handled.WaitUntilAsync(Contains("retried 5"), "retried 5 is handled"),
            handled.WaitUntilAsync(Contains("discarded 5"), "discarded 5 is handled")), "the events behind the failed ones are handled");
        await PublishAsync(6, 7);
        await handled.WaitUntilAsync(items => keys.All(key => items.Contains($"{key} 6")), "later events of every key are handled");
        await node.WhenIdleAsync();
        ExpectKey(handled, "retried", "0", "1 failed", "1 failed", "1 failed", "1", "2", "3", "4", "5", "6");
        ExpectKey(handled, "discarded", "0", "1 failed", "1 failed", "1 failed", "2", "3", "4", "5", "6");

        async Task PublishAsync(int from, int to)
        {
            for (var i = from; i < to; i++)
            {
                foreach (var key in keys)
                {
                    await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = key });
                }
            }
        }
    }

    private static async Task BlockedKeyAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var repaired = false;
        var node = await run.StartAsync(bus => bus.Retry(maxRetryAttempts: 0)
            .Configure(options => options.MaxParkedPerKey = 3)
            .Subscribe("line", s => s.Ordered().On<ParcelSent>((e, _, _) =>
            {
                if (e.Number == 0 && !Volatile.Read(ref repaired))
                {
                    throw new InvalidOperationException("The handler fails on purpose.");
                }

                return handled.RecordAsync(e.Number);
            })));

        for (var i = 0; i < 6; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = "blocked" });
        }

        // Event 0 becomes a dead letter, 1 to 3 are parked behind it, and 4 and 5 become dead letters.
        await node.Alerts.WaitForCountAsync(3, "an alert is raised");
        await node.WhenIdleAsync();
        Expect.Equal(
            2,
            await node.DeadLetters.CountAsync(new DeadLetterFilter { Reason = DeadLetterReason.KeyBlocked }),
            "the number of dead letters behind a full line");
        Expect.Equal(0, handled.Items.Count, "the number of handled events");

        Volatile.Write(ref repaired, true);
        Expect.Equal(3, await node.DeadLetters.RetryAllAsync(), "the number of dead letters that are retried");
        await handled.WaitForCountAsync(6, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(Enumerable.Range(0, 6), handled.Items, "the order of the events of the key");
    }

    private static void ExpectKey(Ledger<string> handled, string key, params string[] expected) =>
        Expect.Sequence(
            expected,
            handled.Items.Where(item => item.StartsWith($"{key} ", StringComparison.Ordinal)).Select(item => item[(key.Length + 1)..]),
            $"the handled events for the key {key}");

    private static Func<IReadOnlyList<string>, bool> Contains(string item) => items => items.Contains(item);
}
