namespace EventBus.Conformance;

/// <summary>
/// Tests failures: three retries, then a dead letter, then an alert. Only the subscription that failed runs again.
/// </summary>
internal static class FailureScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "independent-subscriptions",
            "A failing subscription is retried alone, and the other subscriptions handle the event once, so that one broken handler never "
                + "repeats the effects of another.",
            IndependentAsync),
        new(
            "three-retries-then-dead-letter",
            "The event of a failing handler is attempted exactly 4 times and then kept as one dead letter with one alert, so that "
                + "operators look once and nothing disappears.",
            ThreeRetriesAsync),
    ];

    private static async Task IndependentAsync(TransportRun run)
    {
        var good = new Ledger<string>();
        var bad = new Ledger<string>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("good", (_, context, _) => good.RecordAsync(context.EventId))
            .Subscribe<ParcelSent>("bad", (_, context, _) => bad.RecordAndFailAsync(context.EventId)));

        for (var i = 0; i < 10; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i));
        }

        await node.Alerts.WaitForCountAsync(10, "an alert is raised");
        await good.WaitForCountAsync(10, "the good handler runs");
        await node.WhenIdleAsync();
        Expect.Equal(10, good.Items.Count, "the number of runs of the handler that succeeds");
        Expect.Equal(40, bad.Items.Count, "the number of runs of the handler that fails");
    }

    private static async Task ThreeRetriesAsync(TransportRun run)
    {
        var attempts = new Ledger<(string Id, int Attempt)>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("failing", (_, context, _) => attempts.RecordAndFailAsync((context.EventId, context.Attempt))));

        await node.Bus.PublishAsync(new ParcelSent(1), new PublishOptions
        {
            EventId = $"{run.Isolation}-1",
            Key = "one",
            Headers = new Dictionary<string, string> { ["x-from"] = "here" }
        });
        await node.Alerts.WaitForCountAsync(1, "an alert is raised");
        await node.WhenIdleAsync();

        Expect.Sequence(Enumerable.Range(1, 4).Select(attempt => ($"{run.Isolation}-1", attempt)), attempts.Items, "the list of attempts");
        Expect.Equal(1, node.Alerts.Items.Count, "the number of alerts");
        var letter = (await node.DeadLetters.ListAsync()).Single();
        Expect.Equal(node.Alerts.Items[0].Id, letter.Id, "the id of the dead letter");
        Expect.Equal("failing", letter.Subscription, "the subscription of the dead letter");
        Expect.Equal($"{run.Isolation}-1", letter.EventId, "the event id of the dead letter");
        Expect.Equal("one", letter.Key, "the key of the dead letter");
        Expect.Equal("here", letter.Headers["x-from"], "the header of the dead letter");
        Expect.Equal("""{"number":1,"note":null}""", System.Text.Encoding.UTF8.GetString(letter.Body.Span), "the body of the dead letter");
        Expect.Equal(4, letter.Attempts, "the attempts of the dead letter");
        Expect.Equal(DeadLetterReason.HandlerFailed, letter.Reason, "the reason of the dead letter");
        Expect.That(
            letter.Error?.Contains("on purpose", StringComparison.Ordinal) == true,
            "an error that says what the handler threw",
            letter.Error);
    }
}
