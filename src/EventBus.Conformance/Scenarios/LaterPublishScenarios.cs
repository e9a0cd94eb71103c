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
        var attempts = new Ledger<int>();
        var followUps = new Ledger<(int Number, string Id, string Correlation, string? Causation)>();
        void Configure(EventBusBuilder bus) => bus
            .Subscribe<ParcelSent>("parent", async (e, context, token) =>
            {
                attempts.Add(context.Attempt);
                await context.PublishAsync(new ParcelReturned(e.Number), cancellationToken: token);
                await context.PublishAsync(new ParcelReturned(e.Number + 1), cancellationToken: token);
                if (context.Attempt < 3)
                {
                    throw new InvalidOperationException("The handler fails on purpose.");
                }
            })
            .Subscribe<ParcelReturned>(
                "child",
                (e, context, _) => followUps.RecordAsync((e.Number, context.EventId, context.CorrelationId, context.CausationId)));

        // Publishes the same event twice, because it may also be delivered twice. The second copy is handled by another
        // instance, after the first one has stopped and has written all that it had to.
        var first = await run.StartAsync(Configure);
        var options = new PublishOptions { EventId = $"{run.Isolation}-parent", CorrelationId = "process" };
        await first.Bus.PublishAsync(new ParcelSent(10), options);
        await followUps.WaitForCountAsync(2, "a follow-up event is handled");
        await first.WhenIdleAsync();
        Expect.Equal(2, followUps.Items.Count, "the number of follow-up events after two failed attempts and one that succeeded");
        await first.StopAsync();
        var second = await run.StartAsync(Configure);
        await second.Bus.PublishAsync(new ParcelSent(10), options);
        await followUps.WaitForCountAsync(4, "a follow-up event is handled");
        await second.WhenIdleAsync();

        Expect.Sequence([1, 2, 3, 1, 2, 3], attempts.Items, "the list of attempts");
        Expect.Sequence([10, 10, 11, 11], followUps.Items.Select(item => item.Number).Order(), "the follow-up events");
        Expect.Equal(
            2,
            followUps.Items.Select(item => (item.Number, item.Id)).Distinct().Count(),
            "the number of different ids for two follow-up events that were each published twice");
        Expect.That(
            followUps.Items.All(item => item.Correlation == options.CorrelationId && item.Causation == options.EventId),
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
            .Subscribe("child", s => s.On<ParcelReturned>((e, _, _) => children.RecordAsync(e.Number)).Idempotent()));

        // Publishes the same event twice, because it may also be delivered twice.
        var options = new PublishOptions { EventId = $"{run.Isolation}-parent" };
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await children.WaitForCountAsync(2, "a follow-up event is handled");
        await node.WhenIdleAsync();
        await node.Bus.PublishAsync(new ParcelSent(10), options);
        await parents.WaitForCountAsync(2, "both copies of the event are handled");
        await node.WhenIdleAsync();

        Expect.Sequence([10, 11], children.Items.Order(), "the follow-up events that were handled");
        Expect.Equal(0, await node.DeadLetters.CountAsync(), "the number of dead letters");
    }

    private static async Task DelayedAsync(TransportRun run)
    {
        var time = TimeProvider.System;
        var handled = new Ledger<(int Number, DateTimeOffset HandledAt, string? Key, string Id, string Header)>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>(
            "all",
            (e, context, _) => handled.RecordAsync((e.Number, time.GetUtcNow(), context.Key, context.EventId, context.Headers["x-a"]))));
        var now = time.GetUtcNow();
        foreach (var number in new[] { 2, 1, 0 })
        {
            await node.Bus.PublishAsync(new ParcelSent(number), new PublishOptions
            {
                NotBefore = NotBefore(number),
                Key = "key",
                EventId = $"{run.Isolation}-{number}",
                Headers = new Dictionary<string, string> { ["x-a"] = "a" }
            });
        }

        await handled.WaitForCountAsync(3, "an event is handled");

        foreach (var (number, handledAt, key, id, header) in handled.Items)
        {
            Expect.That(
                handledAt >= NotBefore(number),
                $"event {number} is handled at {NotBefore(number):O} or later",
                handledAt.ToString("O"));
            Expect.Equal(("key", $"{run.Isolation}-{number}", "a"), (key, id, header), "the key, id and header of a delayed event");
        }

        // The time of event 0 is in the past: it is published at once.
        DateTimeOffset NotBefore(int number) => number switch
        {
            0 => now - TimeSpan.FromHours(1),
            1 => now + TimeSpan.FromMilliseconds(200),
            _ => now + TimeSpan.FromMilliseconds(300),
        };
    }
}
