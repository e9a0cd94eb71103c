using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests the limits of a publish: of the size of an event, and of its headers, keys and ids.</summary>
internal static class PublishLimitScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
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
    ];

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
        Expect.That(refused.Message.Contains("note (", StringComparison.Ordinal), "a message that names the member", refused.Message);
        Expect.Equal(
            1,
            node.Logs.Above(LogLevel.Warning).Count(entry => entry.Text.StartsWith("Publishing parcel.sent ", StringComparison.Ordinal)),
            "the number of errors in the log, one for the refused event");
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
}
