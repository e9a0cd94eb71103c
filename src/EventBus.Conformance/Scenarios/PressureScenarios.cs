using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests backpressure: every queue has a limit, and the limit slows down the publisher.</summary>
internal static class PressureScenarios
{
    private static readonly Func<Backend, TransportFeatures, string?> LimitedQueue = TransportRule.All(
        TransportRule.Needs(
            features => features.Durable || features.Redelivers,
            "Publishers never wait: a full subscription drops events and logs it."),
        TransportRule.Can(backend => backend.CanLimitQueue, "The broker holds the queue; its limits are the broker's own."));

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "back-pressure",
            "A full subscription makes its publishers wait and then ends their publish with a typed error, so that memory stays bounded "
                + "and no publisher waits without end.",
            BackPressureAsync) { SkipUnless = LimitedQueue },
        new(
            "publish-into-own-full-subscription",
            "A handler that publishes into its own full subscription continues, so that no handler waits for itself.",
            OwnSubscriptionAsync) { SkipUnless = LimitedQueue },
    ];

    private static async Task BackPressureAsync(TransportRun run)
    {
        const int Capacity = 10, Attempts = 40;
        var handled = new Ledger<int>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var node = await run.StartAsync(bus => bus.Configure(options => options.PublishTimeout = TimeSpan.FromMilliseconds(200))
            .Subscribe("slow", s => s.Concurrency(1).On<ParcelSent>(async (e, _, _) =>
            {
                await release.Task;
                handled.Add(e.Number);
            })), Capacity);

        try
        {
            var outcomes = await Task.WhenAll(Enumerable.Range(0, Attempts).Select(number => OutcomeAsync(node, number)));
            var accepted = outcomes.Count(outcome => outcome is null);

            // The bus also holds a few events outside the queue.
            Expect.That(
                accepted is >= Capacity and <= Capacity + 3,
                $"{Capacity} to {Capacity + 3} of {Attempts} publishes are accepted while the handler waits",
                accepted);
            Expect.That(
                outcomes.All(outcome => outcome is null or { Failure: PublishFailure.Failed or PublishFailure.InDoubt }),
                "the others end as failed or in doubt",
                string.Join(", ", outcomes.Select(outcome => outcome?.Failure)));

            // A publisher that is waiting when space becomes available succeeds.
            var waiting = OutcomeAsync(node, Attempts, TimeSpan.FromMinutes(1));
            release.SetResult();
            Expect.Equal(null, await Expect.WithinAsync(waiting, "a publish that waits for space is accepted"), "its outcome");

            // An event whose publish is in doubt may be handled.
            var numbers = Enumerable.Range(0, Attempts).ToList();
            var mustBeHandled = numbers.Where(number => outcomes[number] is null).Append(Attempts).ToList();
            var failed = numbers.Where(number => outcomes[number] is { Failure: PublishFailure.Failed }).ToList();
            await handled.WaitUntilAsync(items => mustBeHandled.All(items.Contains), "every accepted event is handled");
            await node.WhenIdleAsync();
            var handledAnyway = handled.Items.Intersect(failed).ToList();
            Expect.That(
                handledAnyway.Count == 0,
                "no event is handled whose publish certainly failed",
                string.Join(", ", handledAnyway));
        }
        finally
        {
            release.TrySetResult();
        }
    }

    private static async Task OwnSubscriptionAsync(TransportRun run)
    {
        const int Chains = 20, Depth = 10;
        var handled = new Ledger<int>();

        // The handler publishes through the node. It runs only after the assignment.
        Node node = null!;
        node = await run.StartAsync(
            bus => bus.Subscribe("loop", s => s
                .Concurrency(2)
                .On<ParcelSent>((e, context, token) => HandleAsync(e.Number, context, token))),
            queueCapacity: 4);

        var publishing = Task.WhenAll(Enumerable.Range(0, Chains).Select(chain => node.Bus.PublishAsync(new ParcelSent(chain * Depth))));
        await Expect.WithinAsync(publishing, "publishes that wait for space are accepted");
        await handled.WaitForCountAsync(Chains * Depth, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(Enumerable.Range(0, Chains * Depth), handled.Items.Order(), "the handled events");
        Expect.Equal(0, node.Alerts.Items.Count, "the number of alerts");

        async Task HandleAsync(int number, EventContext context, CancellationToken cancellationToken)
        {
            await Task.Yield();
            if (number % Depth < Depth - 1)
            {
                // Alternates between the two ways to publish.
                var next = new ParcelSent(number + 1);
                await (number % 2 == 0
                    ? context.PublishAsync(next, cancellationToken: cancellationToken)
                    : node.Bus.PublishAsync(next, cancellationToken));
            }

            handled.Add(number);
        }
    }

    private static async Task<PublishException?> OutcomeAsync(Node node, int number, TimeSpan? timeout = null)
    {
        try
        {
            await Expect.WithinAsync(
                node.Bus.PublishAsync(new ParcelSent(number), timeout is null ? null : new PublishOptions { Timeout = timeout }),
                "a publish ends");
            return null;
        }
        catch (PublishException exception)
        {
            return exception;
        }
    }
}
