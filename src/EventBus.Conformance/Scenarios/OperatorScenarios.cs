namespace EventBus.Conformance;

/// <summary>Tests the calls of operators: they find, retry and discard dead letters.</summary>
internal static class OperatorScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "dead-letter-retry",
            "When an operator retries a dead letter, its subscription handles the event again with the same id and all retries available, "
                + "so that a fixed handler loses no event.",
            RetryAsync),
        new(
            "dead-letter-discard",
            "A discarded dead letter is gone and never runs again, so that an event that an operator has given up has no further effect.",
            DiscardAsync),
        new(
            "dead-letter-filters",
            "Dead letters are listed, counted and retried by subscription, event, id and reason, so that an incident can be worked off "
                + "part by part.",
            FiltersAsync),
    ];

    private static async Task RetryAsync(TransportRun run)
    {
        var attempts = new Ledger<(string Id, int Attempt)>();
        var sibling = new Ledger<string>();
        var repaired = false;
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("sibling", (_, context, _) => sibling.RecordAsync(context.EventId))
            .Subscribe<ParcelSent>("failing", (_, context, _) => Volatile.Read(ref repaired)
                ? attempts.RecordAsync((context.EventId, context.Attempt))
                : attempts.RecordAndFailAsync((context.EventId, context.Attempt))));

        await node.Bus.PublishAsync(new ParcelSent(1));
        await node.Alerts.WaitForCountAsync(1, "an alert is raised");
        var id = (await node.DeadLetters.ListAsync()).Single().Id;
        Expect.That(await node.DeadLetters.RetryAsync(id), "a retry of the dead letter is accepted");
        await node.Alerts.WaitForCountAsync(2, "an alert is raised");
        Expect.Equal(id, (await node.DeadLetters.ListAsync()).Single().Id, "the id of the dead letter that failed again");

        Volatile.Write(ref repaired, true);
        Expect.That(await node.DeadLetters.RetryAsync(id), "a second retry of the dead letter is accepted");
        await attempts.WaitForCountAsync(9, "the failing handler is started");
        await node.WhenIdleAsync();
        Expect.Sequence([1, 2, 3, 4, 1, 2, 3, 4, 1], attempts.Items.Select(item => item.Attempt), "the list of attempts");
        Expect.Equal(1, attempts.Items.Select(item => item.Id).Distinct().Count(), "the number of different event ids");
        Expect.Equal(1, sibling.Items.Count, "the number of runs of the other subscription");
        Expect.Equal(0, await node.DeadLetters.CountAsync(), "the number of dead letters in the end");
        Expect.That(!await node.DeadLetters.RetryAsync(id), "a retry of an event that is no longer a dead letter is refused");
    }

    private static async Task DiscardAsync(TransportRun run)
    {
        var attempts = new Ledger<int>();
        var node = await run.StartAsync(
            bus => bus.Retry(maxRetryAttempts: 0).Subscribe<ParcelSent>("failing", (e, _, _) => attempts.RecordAndFailAsync(e.Number)));
        await node.Bus.PublishAsync(new ParcelSent(1));
        await node.Bus.PublishAsync(new ParcelSent(2));
        await node.Alerts.WaitForCountAsync(2, "an alert is raised");

        var id = (await node.DeadLetters.ListAsync())[0].Id;
        _ = await Expect.ThrowsAsync<ArgumentException>(
            () => node.DeadLetters.DiscardAsync(id, " "),
            "a discard without a reason is refused");
        Expect.That(await node.DeadLetters.DiscardAsync(id, "tried out"), "a discard is accepted");
        Expect.That(!await node.DeadLetters.DiscardAsync(id, "tried out"), "a second discard is refused");
        Expect.That(!await node.DeadLetters.RetryAsync(id), "a retry of a discarded dead letter is refused");
        await node.WhenIdleAsync();
        Expect.Equal(1, await node.DeadLetters.CountAsync(), "the number of dead letters that are left");
        Expect.Equal(2, attempts.Items.Count, "the number of attempts");
        Expect.That(
            node.Logs.Entries.Items.Any(entry => entry.Text.Contains("tried out", StringComparison.Ordinal)),
            "a log entry with the reason of the discard");
    }

    private static async Task FiltersAsync(TransportRun run)
    {
        var attempts = new Ledger<string>();
        var repaired = false;
        var node = await run.StartAsync(bus => bus.Retry(maxRetryAttempts: 0).DeadLetterOn<FormatException>()
            .Subscribe<ParcelSent>("a", (_, context, _) => HandleAsync(context, new InvalidOperationException("On purpose.")))
            .Subscribe<ParcelSent>("b", (_, context, _) => HandleAsync(context, new FormatException("On purpose.")))
            .Subscribe<InvoicePaid>("c", (_, context, _) => HandleAsync(context, new InvalidOperationException("On purpose."))));
        for (var i = 0; i < 3; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { EventId = $"{run.Isolation}-{i}" });
            await node.Bus.PublishAsync(new InvoicePaid(i));
            await node.Alerts.WaitForCountAsync(3 * (i + 1), "an alert is raised");
        }

        await ExpectCountAsync(9, null);
        await ExpectCountAsync(3, new DeadLetterFilter { Subscription = "a" });
        await ExpectCountAsync(6, new DeadLetterFilter { EventName = ParcelSent.EventName });
        await ExpectCountAsync(2, new DeadLetterFilter { EventId = $"{run.Isolation}-1" });
        await ExpectCountAsync(3, new DeadLetterFilter { Reason = DeadLetterReason.PermanentFailure });
        await ExpectCountAsync(
            1,
            new DeadLetterFilter { Subscription = "b", EventId = $"{run.Isolation}-2", Reason = DeadLetterReason.PermanentFailure });
        await ExpectCountAsync(0, new DeadLetterFilter { Subscription = "unknown" });
        var first = await node.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = "a", Take = 1 });
        var page = await node.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = "a", Before = first[0].Number, Take = 1 });
        Expect.Sequence([$"{run.Isolation}-1"], page.Select(letter => letter.EventId), "the dead letter before the newest one");

        Volatile.Write(ref repaired, true);
        Expect.Equal(
            3,
            await node.DeadLetters.RetryAllAsync(new DeadLetterFilter { Subscription = "a" }),
            "the number of dead letters of a subscription that are retried");
        await attempts.WaitUntilAsync(items => items.Count(item => item == "a") == 6, "all three are started again");
        await node.WhenIdleAsync();
        await ExpectCountAsync(6, null);
        await ExpectCountAsync(0, new DeadLetterFilter { Subscription = "a" });

        async Task ExpectCountAsync(long expected, DeadLetterFilter? filter)
        {
            var chosen = filter?.ToString() ?? "no filter";
            Expect.Equal(expected, await node.DeadLetters.CountAsync(filter), $"the count for {chosen}");
            Expect.Equal(expected, (await node.DeadLetters.ListAsync(filter)).Count, $"the length of the list for {chosen}");
        }

        // Fails until the handlers are repaired.
        Task HandleAsync(EventContext context, Exception failure)
        {
            attempts.Add(context.Subscription);
            return Volatile.Read(ref repaired) ? Task.CompletedTask : Task.FromException(failure);
        }
    }
}
