using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests publishing: each publish ends with a definite and correct result.</summary>
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
        new(
            "oversized",
            "An event of exactly the maximum size is accepted, one with one byte more is rejected and sent nowhere, and a large one causes "
                + "one warning, so that one publisher cannot block all others.",
            OversizedAsync),
        new(
            "bad-options",
            "Reserved or malformed headers, keys and ids are refused before anything is sent, so that what works on one backend works on "
                + "all.",
            BadOptionsAsync),
        new(
            "publish-many",
            "A list is delivered completely, and a rejected item is reported and holds back the later items of its key, so that a batch "
                + "never breaks an order.",
            PublishManyAsync),
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

    private static async Task OversizedAsync(TransportRun run)
    {
        const int Warn = 1_000, Limit = 4_000;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options =>
            {
                options.WarnBodyBytes = Warn;
                options.MaxBodyBytes = Limit;
            })
            .Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Note!.Length)));
        var sizeWithoutNote = JsonSerializer.SerializeToUtf8Bytes(new ParcelSent(0, ""), ConformanceJson.Default.ParcelSent).Length;

        await node.Bus.PublishAsync(OfSize(Warn));
        Expect.Equal(0, node.Logs.Above(LogLevel.Information).Count(), "the number of warnings up to the size above which the bus warns");
        await node.Bus.PublishAsync(OfSize(Warn + 1));
        await node.Bus.PublishAsync(OfSize(Limit - 1));
        await node.Bus.PublishAsync(OfSize(Limit));
        Expect.Equal(1, node.Logs.Above(LogLevel.Information).Count(), "the number of warnings after three larger events");
        var refused = await Expect.ThrowsAsync<PublishException>(
            () => node.Bus.PublishAsync(OfSize(Limit + 1)),
            "one byte above the limit is refused");
        Expect.Equal(PublishFailure.Rejected, refused.Failure, "the kind of failure");
        Expect.That(refused.Message.Contains("4,000", StringComparison.Ordinal), "a message that names the limit", refused.Message);
        await handled.WaitForCountAsync(4, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(
            new[] { Warn, Warn + 1, Limit - 1, Limit }.Select(size => size - sizeWithoutNote),
            handled.Items.Order(),
            "the lengths of the notes that were handled");

        ParcelSent OfSize(int bytes) => new(0, new string('x', bytes - sizeWithoutNote));
    }

    private static async Task BadOptionsAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));
        PublishOptions[] invalid =
        [
            With("ce-id", "1"),
            With("CE-Type", "1"),
            With("eventbus-version", "1"),
            With("", "1"),
            With("two words", "1"),
            With("x", "line\nbreak"),
            With("x", new string('x', 1_025)),
            With(new string('x', 65), "1"),
            new() { Key = new string('k', 257) },
            new() { Key = "tab\t" },
            new() { EventId = "" },
            new() { EventId = new string('i', 129) },
            new() { CorrelationId = "null\0" },
            new() { Timeout = TimeSpan.Zero },
        ];
        foreach (var options in invalid)
        {
            var refused = await Expect.ThrowsAsync<PublishException>(
                () => node.Bus.PublishAsync(new ParcelSent(1), options),
                "invalid options are refused");
            Expect.Equal(PublishFailure.Rejected, refused.Failure, "the kind of failure");
        }

        await node.Bus.PublishAsync(new ParcelSent(2), new PublishOptions
        {
            Key = new string('k', 256),
            EventId = new string('i', 128),
            CorrelationId = new string('c', 128),
            Headers = new Dictionary<string, string> { [new string('x', 64)] = new string('x', 1_024) }
        });
        await handled.WaitForCountAsync(1, "an event with options of exactly the limits is handled");
        await node.WhenIdleAsync();
        Expect.Sequence([2], handled.Items, "the handled events");

        static PublishOptions With(string name, string value) => new() { Headers = new Dictionary<string, string> { [name] = value } };
    }

    private static async Task PublishManyAsync(TransportRun run)
    {
        const int Count = 600;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Configure(options => options.MaxBodyBytes = 4_000).Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number));
            bus.Event<ParcelSent>().KeyedBy(e => $"key-{e.Number % 3}");
        });

        await node.Bus.PublishManyAsync([.. Enumerable.Range(0, Count).Select(i => new ParcelSent(i))]);
        await handled.WaitForCountAsync(Count, "an event is handled");
        Expect.Sequence(Enumerable.Range(0, Count), handled.Items.Order(), "the handled events of a list");

        // Item 3 is oversized. Item 6 has the same key, so it is not sent.
        var mixed = Enumerable.Range(Count, 9).Select(i => new ParcelSent(i, i == Count + 3 ? new string('x', 5_000) : null)).ToList();
        var failure = await Expect.ThrowsAsync<PublishManyException>(
            () => node.Bus.PublishManyAsync(mixed),
            "a list with an oversized item fails");
        Expect.Sequence<PublishFailure?>(
            [null, null, null, PublishFailure.Rejected, null, null, PublishFailure.Failed, null, null],
            failure.Items.Select(item => item?.Failure),
            "the report of the items");
        await handled.WaitForCountAsync(Count + 7, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(
            [0, 1, 2, 4, 5, 7, 8],
            handled.Items.Skip(Count).Select(number => number - Count).Order(),
            "the handled items of a list whose item 3 was refused");
    }
}
