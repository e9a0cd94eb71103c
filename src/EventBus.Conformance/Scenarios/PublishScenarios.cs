using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests the result of a publish: outside the run of the bus, and without a subscriber.</summary>
internal static class PublishScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "publish-outside-the-run",
            "Publishing before the start or after the stop is refused and says why, so that no event is dropped in silence.",
            OutsideTheRunAsync),
        new(
            "no-subscriber",
            "An event without a subscription is a success on every backend, with one warning where the backend reports it, so that "
                + "publishers do not depend on subscribers.",
            NoSubscriberAsync),
        new(
            "required-subscriber",
            "With RequireSubscriber() an event without a subscription is an error, so that a mistyped pattern is found at once.",
            RequiredSubscriberAsync)
        {
            SkipUnless = TransportRule.Needs(
                features => features.ReportsUnrouted,
                "The backend does not report whether an event has a subscriber."),
        },
    ];

    private static async Task OutsideTheRunAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = run.CreateNode(bus => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));
        var early = await Expect.ThrowsAsync<PublishException>(
            () => node.Bus.PublishAsync(new ParcelSent(1)),
            "a publish before the start is refused");
        Expect.Equal(PublishFailure.Rejected, early.Failure, "the kind of failure");
        await node.StartAsync(CancellationToken.None);
        await node.Bus.PublishAsync(new ParcelSent(2));
        await handled.WaitForCountAsync(1, "an event is handled");
        await node.StopAsync();
        foreach (var publish in new Func<Task>[]
        {
            () => node.Bus.PublishAsync(new ParcelSent(3)),
            () => node.Bus.PublishManyAsync([new ParcelSent(4)])
        })
        {
            var late = await Expect.ThrowsAsync<PublishException>(publish, "a publish after the stop is refused");
            Expect.Equal(PublishFailure.Rejected, late.Failure, "the kind of failure");
        }

        Expect.Sequence([2], handled.Items, "the handled events");
    }

    private static async Task NoSubscriberAsync(TransportRun run)
    {
        var node =
            await run.StartAsync(bus => bus.Subscribe<ParcelSent>("other", (_, _, _) => Task.CompletedTask).Publishes<ParcelForgotten>());
        for (var i = 0; i < 3; i++)
        {
            await node.Bus.PublishAsync(new ParcelForgotten(i));
            await node.Bus.PublishAsync(new ParcelForgotten(i), new PublishOptions { Key = "one" });
            await node.Bus.PublishManyAsync([new ParcelForgotten(i)]);
        }

        var warnings = node.Logs.Above(LogLevel.Information).ToList();
        Expect.Equal(
            run.Features.ReportsUnrouted ? 1 : 0,
            warnings.Count,
            $"the number of warnings ({string.Join("; ", warnings.Select(warning => warning.Text))})");
        Expect.That(
            warnings.All(warning => warning.Text.Contains("parcel.forgotten", StringComparison.Ordinal)),
            "a warning that names the event");
    }

    private static async Task RequiredSubscriberAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Event<ParcelForgotten>().RequireSubscriber();
            bus.Event<ParcelSent>().RequireSubscriber();
            bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number));
        });
        var alone = await Expect.ThrowsAsync<PublishException>(
            () => node.Bus.PublishAsync(new ParcelForgotten(1)),
            "a publish without a subscriber is an error");
        Expect.Equal(PublishFailure.NoSubscriber, alone.Failure, "the kind of failure");
        var many = await Expect.ThrowsAsync<PublishManyException>(
            () => node.Bus.PublishManyAsync([new ParcelForgotten(1)]),
            "a list published without a subscriber is an error");
        Expect.Equal(PublishFailure.NoSubscriber, many.Items[0]?.Failure, "the kind of failure of the item");
        await node.Bus.PublishAsync(new ParcelSent(1));
        await handled.WaitForCountAsync(1, "an event with a subscriber is handled");
    }
}
