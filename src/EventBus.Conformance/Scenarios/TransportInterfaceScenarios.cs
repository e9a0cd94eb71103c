using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Tests the transport interface: a delivery is settled once, and an unsettled one is delivered again.
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
            "In an ordered subscription no later event overtakes a released one, so that an interruption does not break the order.",
            ReleasedIsNotOvertakenAsync) { SkipUnless = TransportRule.All(TransportRule.Ordered, TransportRule.Redelivers) },
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

    private static async Task LiveWhenSubscribedAsync(TransportRun run)
    {
        var subscriptions = Enumerable.Range(0, 10).Select(i => Subscription($"live-{i}")).ToArray();
        var transport = await run.StartTransportAsync(subscriptions);
        for (var i = 0; i < subscriptions.Length; i++)
        {
            var receiver = await run.SubscribeAsync(transport, subscriptions[i]);
            await SendAsync(transport, i);

            // A durable backend may have created the queue at startup. Then it also contains earlier events.
            int number;
            do
            {
                var delivery = await ReadAsync(receiver);
                number = NumberOf(delivery);
                await delivery.AckAsync();
            }
            while (number < i);
        }
    }

    private static async Task ReleasedComesAgainAsync(TransportRun run)
    {
        var (transport, receiver) = await OpenAsync(run, Subscription("again"));
        for (var i = 0; i < 5; i++)
        {
            await SendAsync(transport, i);
        }

        var taken = new List<Delivery>();
        while (taken.Count < 5)
        {
            taken.Add(await ReadAsync(receiver));
        }

        foreach (var delivery in taken)
        {
            await (NumberOf(delivery) % 2 == 0 ? delivery.AckAsync() : delivery.ReleaseAsync());
        }

        var again = new List<int>();
        for (var i = 0; i < 2; i++)
        {
            var delivery = await ReadAsync(receiver);
            again.Add(NumberOf(delivery));
            await delivery.AckAsync();
        }

        Expect.Sequence([1, 3], again.Order(), "the events that were delivered again after 1 and 3 of 0 to 4 were released");
        await ExpectNextAsync(transport, receiver, 100);
    }

    private static async Task ReleasedIsNotOvertakenAsync(TransportRun run)
    {
        var (transport, receiver) = await OpenAsync(run, Subscription("in-order") with { Ordered = true });
        for (var i = 0; i < 20; i++)
        {
            await SendAsync(transport, i);
        }

        // Releases the second of three unsettled deliveries.
        var inFlight = new List<Delivery>();
        for (var i = 0; i < 3; i++)
        {
            inFlight.Add(await ReadAsync(receiver));
            Expect.Equal(i, NumberOf(inFlight[i]), $"delivery {i} of an ordered subscription");
        }

        await inFlight[0].AckAsync();
        await inFlight[1].ReleaseAsync();
        await inFlight[2].AckAsync();

        // The backend may deliver the acknowledged 2 again: it may restart the log at the released event.
        var rest = new List<int>();
        while (rest.Count == 0 || rest[^1] < 19)
        {
            var delivery = await ReadAsync(receiver);
            rest.Add(NumberOf(delivery));
            await delivery.AckAsync();
        }

        Expect.Sequence(
            [1, .. Enumerable.Range(3, 17)],
            rest.Where(number => number != 2),
            "the order of deliveries after 1 was released and 2 was in flight (2 left out)");
        Expect.That(rest.IndexOf(2) is -1 or 1, "2, if it comes again, comes right after 1", string.Join(", ", rest));
    }

    private static async Task StoppedIntakeAsync(TransportRun run)
    {
        var subscription = Subscription("stopped") with { Concurrency = 4 };
        var (transport, receiver) = await OpenAsync(run, subscription);
        for (var i = 0; i < 10; i++)
        {
            await SendAsync(transport, i);
        }

        var taken = new List<Delivery> { await ReadAsync(receiver), await ReadAsync(receiver), await ReadAsync(receiver) };
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
            var all = taken.Select(NumberOf).ToList();
            while (all.Count < 10)
            {
                var delivery = await ReadAsync(next);
                all.Add(NumberOf(delivery));
                await delivery.AckAsync();
            }

            Expect.Sequence(Enumerable.Range(0, 10), all.Order(), "the events that were delivered before and after the intake was stopped");
        }
    }

    private static async Task UnsettledComesAgainAsync(TransportRun run)
    {
        var subscription = Subscription("unsettled");
        var first = await run.StartTransportAsync(subscription);
        var receiver = await run.SubscribeAsync(first, subscription);
        for (var i = 0; i < 5; i++)
        {
            await SendAsync(first, i);
        }

        for (var i = 0; i < 5; i++)
        {
            var delivery = await ReadAsync(receiver);
            if (NumberOf(delivery) is 1 or 3)
            {
                await delivery.AckAsync();
            }
        }

        await Expect.WithinAsync(receiver.DisposeAsync().AsTask(), "the receiver is disposed");
        await Expect.WithinAsync(first.DisposeAsync().AsTask(), "the transport is disposed");
        var second = await run.StartTransportAsync(subscription);
        var next = await run.SubscribeAsync(second, subscription);
        var again = new List<int>();
        while (again.Count < 3)
        {
            var delivery = await ReadAsync(next);
            again.Add(NumberOf(delivery));
            await delivery.AckAsync();
        }

        Expect.Sequence(
            [0, 2, 4],
            again.Order(),
            "the events that the next instance received, after the first had acknowledged 1 and 3 of 0 to 4");
    }

    private static async Task DoubleCloseAsync(TransportRun run)
    {
        var (transport, receiver) = await OpenAsync(run, Subscription("twice"));
        await Expect.WithinAsync(
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => receiver.DisposeAsync().AsTask())),
            "a receiver that is disposed three times ends");
        await Expect.WithinAsync(receiver.StopIntakeAsync().AsTask(), "StopIntakeAsync after disposal ends");
        await Expect.WithinAsync(
            Task.WhenAll(Enumerable.Range(0, 3).Select(_ => transport.DisposeAsync().AsTask())),
            "a transport that is disposed three times ends");
        await Expect.WithinAsync(transport.DisposeAsync().AsTask(), "a transport that is disposed once more ends");
    }

    private static Subscription Subscription(string name) => new(name, [EventPattern.Parse(ParcelSent.EventName)]);

    private static async Task<(Transport Transport, Receiver Receiver)> OpenAsync(TransportRun run, Subscription subscription)
    {
        var transport = await run.StartTransportAsync(subscription);
        return (transport, await run.SubscribeAsync(transport, subscription));
    }

    private static async Task SendAsync(Transport transport, int number)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        var outcomes = new PublishOutcome[1];
        var attributes = new EnvelopeAttributes { Id = $"number-{number}", Name = ParcelSent.EventName, Key = "one" };
        await transport.PublishAsync(
            new[] { new Envelope(attributes, Encoding.UTF8.GetBytes($$"""{"number":{{number}}}""")) },
            outcomes,
            deadline.Token);
        Expect.Equal(PublishStatus.Accepted, outcomes[0].Status, $"the outcome of a publish ({outcomes[0].Error?.Message})");
    }

    private static async Task<Delivery> ReadAsync(Receiver receiver)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        try
        {
            return await receiver.Deliveries.ReadAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            throw Expect.Failure($"a delivery within {Expect.DefaultTimeout.TotalSeconds} s", "none");
        }
    }

    private static async Task ExpectNextAsync(Transport transport, Receiver receiver, int number)
    {
        await SendAsync(transport, number);
        var delivery = await ReadAsync(receiver);
        Expect.Equal(number, NumberOf(delivery), "the next delivery after all earlier ones were settled");
        await delivery.AckAsync();
    }

    private static int NumberOf(Delivery delivery) =>
        int.Parse(delivery.Envelope.Id["number-".Length..], System.Globalization.CultureInfo.InvariantCulture);
}
