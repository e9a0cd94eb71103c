using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Tests the end of receivers and transports: what was taken can be settled, and an unsettled delivery comes again.
/// </summary>
internal static class TransportCloseScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "stopped-intake",
            "A receiver whose intake is stopped completes its deliveries, and deliveries that were taken before can still be settled, so "
                + "that a shutdown loses nothing.",
            StoppedIntakeAsync),
        new(
            "unsettled-comes-again",
            "Events that a closed instance has not settled are delivered to the next instance, so that a crash loses nothing.",
            UnsettledComesAgainAsync) { SkipUnless = TransportRule.All(TransportRule.Durable, TransportRule.Redelivers) },
        new(
            "double-close",
            "Receivers and transports can be disposed twice and at once, so that every way of shutting down is safe.",
            DoubleCloseAsync),
    ];

    private static async Task StoppedIntakeAsync(TransportRun run)
    {
        var subscription = TransportSteps.CreateSubscription("stopped") with { Concurrency = 4 };
        var (transport, receiver) = await run.OpenAsync(subscription);
        for (var i = 0; i < 10; i++)
        {
            await transport.SendAsync(i);
        }

        var taken = new List<Delivery> { await receiver.ReadAsync(), await receiver.ReadAsync(), await receiver.ReadAsync() };
        await Expect.WithinAsync(receiver.StopIntakeAsync().AsTask(), "StopIntakeAsync completes");
        while (await Expect.WithinAsync(receiver.Deliveries.WaitToReadAsync().AsTask(), "the deliveries complete after StopIntakeAsync"))
        {
            while (receiver.Deliveries.TryRead(out var delivery))
            {
                taken.Add(delivery);
            }
        }

        foreach (var delivery in taken)
        {
            await delivery.AckAsync();
        }

        await Expect.WithinAsync(receiver.DisposeAsync().AsTask(), "the receiver is disposed");
        if (run.Features.Durable)
        {
            var next = await run.SubscribeAsync(transport, subscription);
            var all = taken.Select(delivery => delivery.GetNumber()).ToList();
            while (all.Count < 10)
            {
                var delivery = await next.ReadAsync();
                all.Add(delivery.GetNumber());
                await delivery.AckAsync();
            }

            Expect.Sequence(Enumerable.Range(0, 10), all.Order(), "the events that were delivered before and after the intake was stopped");
        }
    }

    private static async Task UnsettledComesAgainAsync(TransportRun run)
    {
        var subscription = TransportSteps.CreateSubscription("unsettled");
        var first = await run.StartTransportAsync(subscription);
        var receiver = await run.SubscribeAsync(first, subscription);
        for (var i = 0; i < 5; i++)
        {
            await first.SendAsync(i);
        }

        for (var i = 0; i < 5; i++)
        {
            var delivery = await receiver.ReadAsync();
            if (delivery.GetNumber() is 1 or 3)
            {
                await delivery.AckAsync();
            }
        }

        await Expect.WithinAsync(receiver.DisposeAsync().AsTask(), "the receiver is disposed");
        await Expect.WithinAsync(first.DisposeAsync().AsTask(), "the transport is disposed");
        var second = await run.StartTransportAsync(subscription);
        var next = await run.SubscribeAsync(second, subscription);
        int[] unsettled = [0, 2, 4];
        var again = new List<int>();
        while (again.Count < unsettled.Length)
        {
            // A backend that remembers a position delivers also the acknowledged events behind the first unsettled one.
            var delivery = await next.ReadAsync();
            if (!run.Features.RemembersPositions || unsettled.Contains(delivery.GetNumber()))
            {
                again.Add(delivery.GetNumber());
            }

            await delivery.AckAsync();
        }

        Expect.Sequence(
            unsettled,
            again.Order(),
            "the events that the next instance received, after the first had acknowledged 1 and 3 of 0 to 4");
    }

    private static async Task DoubleCloseAsync(TransportRun run)
    {
        var (transport, receiver) = await run.OpenAsync(TransportSteps.CreateSubscription("twice"));
        await Expect.WithinAsync(
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => receiver.DisposeAsync().AsTask())),
            "a receiver that is disposed three times ends");
        await Expect.WithinAsync(receiver.StopIntakeAsync().AsTask(), "StopIntakeAsync after disposal ends");
        await Expect.WithinAsync(
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => transport.DisposeAsync().AsTask())),
            "a transport that is disposed three times ends");
        await Expect.WithinAsync(transport.DisposeAsync().AsTask(), "a transport that is disposed once more ends");
    }
}
