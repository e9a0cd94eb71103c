namespace EventBus.Conformance;

/// <summary>Three retries, then a dead letter, then an alert; and only the subscription that failed runs again.</summary>
internal static class FailureScenarios
{
    public static IEnumerable<Scenario> All { get; } =
    [
        new("independent-subscriptions", "A failing subscription is retried alone and its siblings run once, so that one broken handler never repeats another's effects.", IndependentAsync),
        new("three-retries-then-dead-letter", "A failing handler is started exactly 4 times and then kept as one dead letter with one alert, so that people look once and nothing disappears.", ThreeRetriesAsync),
    ];

    private static async Task IndependentAsync(ScenarioRun run)
    {
        var (good, bad) = (new Ledger<string>(), new Ledger<string>());
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("good", (_, context, _) => Note(good, context))
            .Subscribe<ParcelSent>("bad", (_, context, _) =>
            {
                bad.Add(context.EventId);
                throw new InvalidOperationException("The handler fails on purpose.");
            }));

        for (var i = 0; i < 10; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i));
        }

        await node.Alerts.ReachAsync(10, "an alert is raised");
        await good.ReachAsync(10, "the good handler runs");
        await node.QuietAsync();
        Expect.Equal(10, good.Items.Count, "the number of runs of the handler that succeeds");
        Expect.Equal(40, bad.Items.Count, "the number of runs of the handler that fails");
    }

    private static async Task ThreeRetriesAsync(ScenarioRun run)
    {
        var starts = new Ledger<(string Id, int Attempt)>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("failing", (_, context, _) =>
        {
            starts.Add((context.EventId, context.Attempt));
            throw new InvalidOperationException("The handler fails on purpose.");
        }));

        await node.Bus.PublishAsync(new ParcelSent(1), new PublishOptions { EventId = $"{run.Isolation}-1", Key = "one" });
        await node.Alerts.ReachAsync(1, "an alert is raised");
        await node.QuietAsync();

        Expect.Sequence(Enumerable.Range(1, 4).Select(attempt => ($"{run.Isolation}-1", attempt)), starts.Items, "the list of starts");
        Expect.Equal(1, node.Alerts.Items.Count, "the number of alerts");
        var letter = (await node.DeadLetters.ListAsync()).Single();
        Expect.Equal(node.Alerts.Items[0].Id, letter.Id, "the id of the dead letter");
        Expect.Equal("failing", letter.Subscription, "the subscription of the dead letter");
        Expect.Equal($"{run.Isolation}-1", letter.EventId, "the event id of the dead letter");
        Expect.Equal("one", letter.Key, "the key of the dead letter");
        Expect.Equal(4, letter.Starts, "the starts of the dead letter");
        Expect.Equal(DeadLetterReason.HandlerFailed, letter.Reason, "the reason of the dead letter");
        Expect.That(letter.Error?.Contains("on purpose", StringComparison.Ordinal) == true, "an error that says what the handler threw", letter.Error);
    }

    private static Task Note(Ledger<string> ledger, EventContext context)
    {
        ledger.Add(context.EventId);
        return Task.CompletedTask;
    }
}
