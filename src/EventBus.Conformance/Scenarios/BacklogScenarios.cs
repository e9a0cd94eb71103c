using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests the backlog of a subscription, which metrics show.</summary>
internal static class BacklogScenarios
{
    private const int Count = 300;

    // The events that a transport reads ahead for a subscription with a concurrency of 1.
    private const int MaxReadAhead = 250;

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "backlog",
            "The backend tells how many events wait for a subscription and how many are being handled, and both are 0 after all were "
                + "handled, so that metrics and alert rules show a subscription that falls behind.",
            BacklogAsync)
        {
            SkipUnless = TransportRule.Needs(features => features.KnowsBacklog, "The backend keeps no events, or does not count them."),
        },
    ];

    private static async Task BacklogAsync(TransportRun run)
    {
        var (transport, receiver) = await run.OpenAsync(TransportSteps.CreateSubscription("behind") with { Concurrency = 1 });
        for (var i = 0; i < Count; i++)
        {
            await transport.SendAsync(i);
        }

        var first = await receiver.ReadAsync();
        await ExpectEventuallyAsync(
            transport,
            backlog => backlog is { Subscription: "behind", Waiting: >= Count - MaxReadAhead and < Count }
                && (backlog.InFlight is not { } inFlight || backlog.Waiting + inFlight == Count),
            $"{Count} events wait or are in flight after one of them was delivered");

        await first.AckAsync();
        for (var i = 1; i < Count; i++)
        {
            var delivery = await receiver.ReadAsync();
            await delivery.AckAsync();
        }

        await ExpectEventuallyAsync(
            transport,
            backlog => backlog is { Subscription: "behind", Waiting: 0, InFlight: null or 0, Consumers: null or 1 },
            "nothing waits after all events were handled");
    }

    /// <summary>Reads the backlog until it is as expected: a backend may count with a delay.</summary>
    private static async Task ExpectEventuallyAsync(Transport transport, Predicate<SubscriptionBacklog> condition, string expected)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        IReadOnlyList<SubscriptionBacklog> latest;
        do
        {
            latest = await transport.ReadBacklogAsync(deadline.Token);
            if (latest is [var only] && condition(only))
            {
                return;
            }
        }
        while (await WaitAsync(timer, deadline.Token));

        throw Expect.Failure(expected, string.Join(", ", latest));
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken deadline)
    {
        try
        {
            return await timer.WaitForNextTickAsync(deadline);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
