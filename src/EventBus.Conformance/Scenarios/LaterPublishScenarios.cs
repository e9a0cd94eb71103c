namespace EventBus.Conformance;

/// <summary>
/// Tests events that are published later: follow-up events after their handler, delayed events at their time.
/// </summary>
internal static class LaterPublishScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "follow-up-events",
            "Events that a handler publishes are sent only when it has succeeded, with the same ids whenever it runs again, so that a "
                + "retry starts no process twice.",
            FollowUpsAsync),
        new(
            "follow-ups-again",
            "A follow-up event that is published again for the same event with other content counts as the same event, so that a time "
                + "stamp in it does not make it a dead letter.",
            FollowUpsAgainAsync),
        new(
            "delayed-publish",
            "A delayed event is delivered completely and never before its time, so that reminders need no scheduler.",
            DelayedAsync),
    ];

    private static async Task FollowUpsAsync(TransportRun run)
    {
        var starts = new Ledger<int>();
        var followUps = new Ledger<(int Number, string Id, string Correlation, string? Causation)>();
        void Configure(EventBusBuilder bus) => bus
            .Subscribe<ParcelSent>("parent", async (e, context, token) =>
            {
                starts.Add(context.Attempt);
                await context.PublishAsync(new ParcelReturned(e.Number), cancellationToken: token);
                await context.PublishAsync(new ParcelReturned(e.Number + 1), cancellationToken: token);
                if (context.Attempt < 3)
                {
                    throw new InvalidOperationException("The handler fails on purpose.");
                }
            })
            .Subscribe<ParcelReturned>(
                "child",
                (e, context, _) => followUps.AddAsync((e.Number, context.EventId, context.CorrelationId, context.CausationId)));

        // Publishes the same event twice, as at-least-once delivery may do. The second event goes to another instance:
        // after the first has stopped in order, none of its state remains to be written.
        var node = await run.StartAsync(Configure);
        var options = new PublishOptions { EventId = $"{run.Isolation}-parent", CorrelationId = "process" };
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await followUps.WaitForCountAsync(2, "a follow-up event is handled");
        await node.WhenIdleAsync();
        Expect.Equal(2, followUps.Items.Count, "the number of follow-up events after two failed attempts and one that succeeded");
        await node.StopAsync();
        node = await run.StartAsync(Configure);
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await followUps.WaitForCountAsync(4, "a follow-up event is handled");
        await node.WhenIdleAsync();

        Expect.Sequence([1, 2, 3, 1, 2, 3], starts.Items, "the list of attempts");
        Expect.Sequence([10, 10, 11, 11], followUps.Items.Select(item => item.Number).Order(), "the follow-up events");
        Expect.Equal(
            2,
            followUps.Items.Select(item => (item.Number, item.Id)).Distinct().Count(),
            "the number of different ids for two follow-up events that were each published twice");
        Expect.That(
            followUps.Items.All(item => item is { Correlation: "process" } && item.Causation == options.EventId),
            "the parent's correlation, and the parent as the cause",
            string.Join(", ", followUps.Items));
    }

    private static async Task FollowUpsAgainAsync(TransportRun run)
    {
        var parents = new Ledger<int>();
        var children = new Ledger<int>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("parent", async (e, context, token) =>
            {
                parents.Add(e.Number);
                await context.PublishAsync(new ParcelReturned(e.Number, $"run {parents.Items.Count}"), cancellationToken: token);
                await context.PublishAsync(
                    new ParcelReturned(e.Number + 1, $"run {parents.Items.Count}"),
                    new PublishOptions { NotBefore = TimeProvider.System.GetUtcNow() + TimeSpan.FromMilliseconds(100) },
                    token);
            })
            .Subscribe("child", s => s.On<ParcelReturned>((e, _, _) => children.AddAsync(e.Number)).Idempotent()));

        // Publishes the same event twice, as at-least-once delivery may do.
        var options = new PublishOptions { EventId = $"{run.Isolation}-parent" };
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await children.WaitForCountAsync(2, "a follow-up event is handled");
        await node.WhenIdleAsync();
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await parents.WaitForCountAsync(2, "the event that comes again is handled");
        await node.WhenIdleAsync();

        Expect.Sequence([10, 11], children.Items.Order(), "the follow-up events that were handled");
        Expect.Equal(0, await node.DeadLetters.CountAsync(), "the number of dead letters");
    }

    private static async Task DelayedAsync(TransportRun run)
    {
        var time = TimeProvider.System;
        var handled = new Ledger<(int Number, DateTimeOffset At, string? Key, string Id, string Header)>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>(
            "all",
            (e, context, _) => handled.AddAsync((e.Number, time.GetUtcNow(), context.Key, context.EventId, context.Headers["x-a"]))));
        var dueAt = time.GetUtcNow() + TimeSpan.FromMilliseconds(200);
        await node.Bus.PublishAsync(new ParcelSent(2), Options(dueAt + TimeSpan.FromMilliseconds(100), 2));
        await node.Bus.PublishAsync(new ParcelSent(1), Options(dueAt, 1));
        await node.Bus.PublishAsync(new ParcelSent(0), Options(time.GetUtcNow() - TimeSpan.FromHours(1), 0));
        await handled.WaitForCountAsync(3, "an event is handled");

        foreach (var (number, at, key, id, header) in handled.Items)
        {
            Expect.That(
                number == 0 || at >= dueAt + TimeSpan.FromMilliseconds(100 * (number - 1)),
                $"event {number} is handled at its time or later",
                at.ToString("O"));
            Expect.Equal(("key", $"{run.Isolation}-{number}", "a"), (key, id, header), "the key, id and header of a delayed event");
        }

        PublishOptions Options(DateTimeOffset notBefore, int number) => new()
        {
            NotBefore = notBefore,
            Key = "key",
            EventId = $"{run.Isolation}-{number}",
            Headers = new Dictionary<string, string> { ["x-a"] = "a" }
        };
    }
}
