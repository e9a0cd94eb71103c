using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests the logs: a clean run causes no warning, and no entry has the content of an event.</summary>
internal static class LogScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new("quiet-logs", "A clean run logs nothing above information, so that every warning means something.", QuietLogsAsync),
        new(
            "no-content-in-logs",
            "Neither bodies nor header values appear in any log, also when everything fails, so that logs hold no personal data.",
            NoContentInLogsAsync),
    ];

    private static async Task QuietLogsAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var followUps = new Ledger<int>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>(
                "parallel",
                (e, context, token) => context.PublishAsync(new ParcelReturned(e.Number), cancellationToken: token))
            .Subscribe("ordered", s => run.OrderWherePossible(s).On<ParcelSent>((e, _, _) => handled.RecordAsync(e.Number)))
            .Subscribe<ParcelReturned>("follow-ups", (e, _, _) => followUps.RecordAsync(e.Number)));
        for (var i = 0; i < 50; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = $"key-{i % 3}" });
        }

        await handled.WaitForCountAsync(50, "an event is handled");
        await followUps.WaitForCountAsync(50, "a follow-up event is handled");
        await node.WhenIdleAsync();
        await node.StopAsync();
        var warnings = node.Logs.Above(LogLevel.Information).Select(entry => entry.Text).ToList();
        Expect.That(warnings.Count == 0, "no log entry above information in a clean run", string.Join("; ", warnings));
    }

    private static async Task NoContentInLogsAsync(TransportRun run)
    {
        // A text that occurs nowhere else.
        const string Canary = "canary-5f1d";
        var attempts = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options =>
            {
                options.WarnBodyBytes = 500;
                options.MaxBodyBytes = 2_000;
            })
            .Subscribe<ParcelSent>("all", (e, context, _) =>
            {
                attempts.Add(context.Attempt);
                return e.Number == 0 ? Task.CompletedTask : throw new InvalidOperationException("The handler fails on purpose.");
            }));
        var options = new PublishOptions { Headers = new Dictionary<string, string> { ["x-canary"] = Canary } };
        await node.Bus.PublishAsync(new ParcelSent(0, Canary), options);
        await node.Bus.PublishAsync(new ParcelSent(1, Canary), options);
        await node.Bus.PublishAsync(new ParcelSent(0, Canary + new string('x', 1_000)), options);
        _ = await Expect.ThrowsAsync<PublishException>(
            () => node.Bus.PublishAsync(new ParcelSent(0, Canary + new string('x', 3_000)), options),
            "an oversized event is refused");
        string[] malformed =
        [
            Canary,
            $$"""{"number":"{{Canary}}"}""",
            $$"""{"number":1,"{{Canary}}":1,"{{Canary}}":2}""",
            $$"""{"number":1,"note":{"{{Canary}}":1} }""",
            $$"""{"note":"{{Canary}}" """
        ];
        for (var i = 0; i < malformed.Length; i++)
        {
            var attributes = new EnvelopeAttributes
            {
                Id = $"{run.Isolation}-{i}",
                Name = ParcelSent.EventName,
                Headers = options.Headers
            };
            await node.SendAsync(new Envelope(attributes, Encoding.UTF8.GetBytes(malformed[i])));
        }

        await node.Alerts.WaitForCountAsync(1 + malformed.Length, "an alert is raised");
        await attempts.WaitForCountAsync(6, "a handler is started: once for each of two events, and four times for the one that fails");
        await node.WhenIdleAsync();
        var id = (await node.DeadLetters.ListAsync())[0].Id;
        Expect.That(await node.DeadLetters.DiscardAsync(id, "tried out"), "the discard is accepted");
        await node.StopAsync();
        var leaks = node.Logs.Entries.Items.Where(entry => $"{entry.Text} {entry.Details}".Contains(Canary, StringComparison.Ordinal))
            .Select(entry => entry.Text)
            .ToList();
        Expect.That(leaks.Count == 0, "no log entry with content of an event", string.Join("; ", leaks));
    }
}
