using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Conformance;

/// <summary>
/// Tests several instances, buses and publishers at once: they share or separate events, and lose none.
/// </summary>
internal static class InstanceScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "competing-instances",
            "Instances of one service share the events of a subscription and none is handled twice, so that adding instances adds speed.",
            CompetingAsync)
        {
            SkipUnless = TransportRule.SharesSubscriptions,
        },
        new(
            "second-bus",
            "A second bus in one application is separate from the first, so that two backends can be used side by side.",
            SecondBusAsync),
        new("flood", "Many publishers and subscriptions at once lose nothing, so that load is no reason for loss.", FloodAsync),
    ];

    private static async Task FloodAsync(TransportRun run)
    {
        const int Publishers = 20, Each = 50, Subscriptions = 10;
        var received = Enumerable.Range(0, Subscriptions).Select(_ => new Ledger<int>()).ToArray();
        var node = await run.StartAsync(bus =>
        {
            for (var i = 0; i < Subscriptions; i++)
            {
                var ledger = received[i];
                bus.Subscribe<ParcelSent>($"flood-{i}", async (e, _, _) =>
                {
                    await Task.Yield();
                    ledger.Add(e.Number);
                });
            }
        });

        await Expect.WithinAsync(Task.WhenAll(Enumerable.Range(0, Publishers).Select(async publisher =>
        {
            await Task.Yield();
            for (var i = 0; i < Each; i++)
            {
                await node.Bus.PublishAsync(new ParcelSent((publisher * Each) + i));
            }
        })), "all publishers end", TimeSpan.FromSeconds(60));
        foreach (var ledger in received)
        {
            await ledger.WaitForCountAsync(Publishers * Each, "an event is handled", TimeSpan.FromSeconds(60));
        }

        await node.WhenIdleAsync();
        foreach (var ledger in received)
        {
            Expect.Sequence(Enumerable.Range(0, Publishers * Each), ledger.Items.Order(), "the events that one subscription received");
        }
    }

    private static async Task CompetingAsync(TransportRun run)
    {
        const int Count = 200;
        var handled = new Ledger<int>();
        var begun = new[]
        {
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously),
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
        };
        var nodes = new Node[begun.Length];
        for (var i = 0; i < nodes.Length; i++)
        {
            var begunHere = begun[i];
            nodes[i] = await run.StartAsync(bus => bus.Subscribe("shared", s => s.Concurrency(2).On<ParcelSent>(async (e, _, _) =>
            {
                // Blocks the first events until the other instance has one too.
                begunHere.TrySetResult();
                await Expect.WithinAsync(Task.WhenAll(begun.Select(source => source.Task)), "both instances handle events");
                handled.Add(e.Number);
            })));
        }

        await nodes[0].Bus.PublishManyAsync([.. Enumerable.Range(0, Count).Select(i => new ParcelSent(i))]);
        await handled.WaitForCountAsync(Count, "an event is handled");
        Expect.Sequence(Enumerable.Range(0, Count), handled.Items.Order(), "the events that both instances handled");
        Expect.Equal(0, nodes.Sum(node => node.Alerts.Items.Count), "the number of alerts");
    }

    private static async Task SecondBusAsync(TransportRun run)
    {
        var first = new Ledger<int>();
        var second = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Subscribe<ParcelSent>("same-name", (e, _, _) => first.RecordAsync(e.Number));
            bus.Services.AddKeyedEventBus("second", other => run.Prepare(other, $"{run.Isolation}b")
                .Subscribe<ParcelSent>("same-name", (e, _, _) => second.RecordAsync(e.Number)));
        });

        await node.Bus.PublishAsync(new ParcelSent(1));
        await node.Services.GetRequiredKeyedService<IEventBus>("second").PublishAsync(new ParcelSent(2));
        await first.WaitForCountAsync(1, "the first bus handles its event");
        await second.WaitForCountAsync(1, "the second bus handles its event");
        await node.WhenIdleAsync();
        Expect.Sequence([1], first.Items, "the events that the first bus handled");
        Expect.Sequence([2], second.Items, "the events that the second bus handled");
    }
}
