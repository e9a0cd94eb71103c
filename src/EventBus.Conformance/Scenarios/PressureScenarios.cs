namespace EventBus.Conformance;

/// <summary>Tests backpressure: every queue has a limit, and the limit slows down the publisher.</summary>
internal static class PressureScenarios
{
    private static readonly Func<Backend, EventBus.Transports.TransportFeatures, string?> LimitedQueue = TransportRule.All(
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
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var node = await run.StartAsync(bus => bus.Configure(options => options.PublishTimeout = TimeSpan.FromMilliseconds(200))
            .Subscribe("slow", s => s.Concurrency(1).On<ParcelSent>(async (e, _, _) =>
            {
                await open.Task;
                handled.Add(e.Number);
            })), Capacity);

        try
        {
            var outcomes = await Task.WhenAll(Enumerable.Range(0, Attempts).Select(number => OutcomeAsync(node, number)));
            var accepted = outcomes.Count(outcome => outcome is null);
            Expect.That(
                accepted is >= Capacity and <= Capacity + 3,
                $"about {Capacity} of {Attempts} publishes are accepted while the handler stands",
                accepted);
            Expect.That(
                outcomes.All(outcome => outcome is null or { Failure: PublishFailure.Failed or PublishFailure.InDoubt }),
                "the others end as failed or in doubt",
                string.Join(", ", outcomes.Select(outcome => outcome?.Failure)));

            // A publisher that is waiting when space becomes available succeeds.
            var waiting = OutcomeAsync(node, Attempts, TimeSpan.FromMinutes(1));
            open.SetResult();
            Expect.Equal(null, await Expect.WithinAsync(waiting, "a publisher that waits for room gets through"), "its outcome");
            var certain = outcomes.Select((outcome, number) => (outcome, number))
                .Where(item => item.outcome is null)
                .Select(item => item.number)
                .Append(Attempts)
                .ToList();
            var possible = certain.Concat(outcomes.Select((outcome, number) => (outcome, number))
                .Where(item => item.outcome is { Failure: PublishFailure.InDoubt })
                .Select(item => item.number)).ToList();
            await handled.WaitUntilAsync(items => certain.All(items.Contains), "every accepted event is handled");
            await node.WhenIdleAsync();
            Expect.That(
                handled.Items.All(possible.Contains),
                "nothing is handled whose publish certainly failed",
                string.Join(", ", handled.Items.Except(possible)));
        }
        finally
        {
            open.TrySetResult();
        }
    }

    private static async Task OwnSubscriptionAsync(TransportRun run)
    {
        const int Chains = 20, Depth = 10;
        var handled = new Ledger<int>();
        Node? self = null;
        var node =
            self = await run.StartAsync(bus => bus.Subscribe("loop", s => s.Concurrency(2).On<ParcelSent>(async (e, context, token) =>
            {
                await Task.Yield();
                if (e.Number % Depth < Depth - 1)
                {
                    // Alternates between the context and the bus.
                    var next = new ParcelSent(e.Number + 1);
                    await (e.Number % 2 == 0 ? context.PublishAsync(next, cancellationToken: token) : self!.Bus.PublishAsync(next, token));
                }

                handled.Add(e.Number);
            })), queueCapacity: 4);

        var publishing = Task.WhenAll(Enumerable.Range(0, Chains).Select(chain => node.Bus.PublishAsync(new ParcelSent(chain * Depth))));
        await Expect.WithinAsync(publishing, "publishers that wait for room get through");
        await handled.WaitForCountAsync(Chains * Depth, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(Enumerable.Range(0, Chains * Depth), handled.Items.Order(), "the handled events");
        Expect.Equal(0, node.Alerts.Items.Count, "the number of alerts");
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
