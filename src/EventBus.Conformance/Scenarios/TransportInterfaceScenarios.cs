using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Tests the transport interface: a subscription is live at once, and a released delivery is delivered again.
/// </summary>
internal static class TransportInterfaceScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "live-when-subscribed",
            "A subscription is live as soon as SubscribeAsync completes, so that nothing published after the start is missed.",
            LiveWhenSubscribedAsync),
        new(
            "released-comes-again",
            "A released delivery is delivered again and an acknowledged one is not, so that an interrupted event is neither lost nor "
                + "repeated without need.",
            ReleasedComesAgainAsync) { SkipUnless = TransportRule.Redelivers },
        new(
            "released-is-not-overtaken",
            "In an ordered subscription no later event of its key overtakes a released one, so that an interruption breaks no order.",
            ReleasedIsNotOvertakenAsync) { SkipUnless = TransportRule.All(TransportRule.Ordered, TransportRule.Redelivers) },
    ];

    private static async Task LiveWhenSubscribedAsync(TransportRun run)
    {
        var subscriptions = Enumerable.Range(0, 10).Select(i => TransportSteps.CreateSubscription($"live-{i}")).ToArray();
        var transport = await run.StartTransportAsync(subscriptions);
        for (var i = 0; i < subscriptions.Length; i++)
        {
            var receiver = await run.SubscribeAsync(transport, subscriptions[i]);
            await transport.SendAsync(i);

            // A durable backend may have created the queue at startup. Then it also contains earlier events.
            int number;
            do
            {
                var delivery = await receiver.ReadAsync();
                number = delivery.GetNumber();
                await delivery.AckAsync();
            }
            while (number < i);
        }
    }

    private static async Task ReleasedComesAgainAsync(TransportRun run)
    {
        var (transport, receiver) = await run.OpenAsync(TransportSteps.CreateSubscription("again"));
        for (var i = 0; i < 5; i++)
        {
            await transport.SendAsync(i);
        }

        var taken = new List<Delivery>();
        while (taken.Count < 5)
        {
            taken.Add(await receiver.ReadAsync());
        }

        foreach (var delivery in taken)
        {
            await (delivery.GetNumber() % 2 == 0 ? delivery.AckAsync() : delivery.ReleaseAsync());
        }

        var again = new List<int>();
        for (var i = 0; i < 2; i++)
        {
            var delivery = await receiver.ReadAsync();
            again.Add(delivery.GetNumber());
            await delivery.AckAsync();
        }

        Expect.Sequence([1, 3], again.Order(), "the events that were delivered again after 1 and 3 of 0 to 4 were released");
        await ExpectNextAsync(transport, receiver, 100);
    }

    private static async Task ReleasedIsNotOvertakenAsync(TransportRun run)
    {
        var (transport, receiver) = await run.OpenAsync(TransportSteps.CreateSubscription("in-order") with { Ordered = true });
        for (var i = 0; i < 20; i++)
        {
            await transport.SendAsync(i);
        }

        // Releases the second of three unsettled deliveries.
        var inFlight = new List<Delivery>();
        for (var i = 0; i < 3; i++)
        {
            inFlight.Add(await receiver.ReadAsync());
            Expect.Equal(i, inFlight[i].GetNumber(), $"delivery {i} of an ordered subscription");
        }

        await inFlight[0].AckAsync();
        await inFlight[1].ReleaseAsync();
        await inFlight[2].AckAsync();

        // The backend may deliver the acknowledged 2 again: it may restart the log at the released event.
        var rest = new List<int>();
        while (rest.Count == 0 || rest[^1] < 19)
        {
            var delivery = await receiver.ReadAsync();
            rest.Add(delivery.GetNumber());
            await delivery.AckAsync();
        }

        Expect.Sequence(
            [1, .. Enumerable.Range(3, 17)],
            rest.Where(number => number != 2),
            "the order of deliveries after 1 was released and 2 was in flight (2 left out)");
        Expect.That(rest.IndexOf(2) is -1 or 1, "2, if it comes again, comes right after 1", string.Join(", ", rest));
    }

    private static async Task ExpectNextAsync(Transport transport, Receiver receiver, int number)
    {
        await transport.SendAsync(number);
        var delivery = await receiver.ReadAsync();
        Expect.Equal(number, delivery.GetNumber(), "the next delivery after all earlier ones were settled");
        await delivery.AckAsync();
    }
}
