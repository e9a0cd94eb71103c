using System.Text;

namespace EventBus.Conformance;

/// <summary>Tests messages of programs in other languages: they are handled within limits, and none is lost.</summary>
internal static class ForeignScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "foreign-message",
            "Plain JSON from a program in another language is handled, and invalid messages become dead letters, so that other services do "
                + "not need this library.",
            PlainJsonAsync)
        {
            SkipUnless = TransportRule.Can(backend => backend.CanPublishForeign, "No other program can reach this backend."),
        },
        new(
            "foreign-attributes",
            "An attribute beyond its limit or with a control character makes the message a dead letter that names the attribute and its "
                + "length, and valid attributes are handled and published again, so that no input breaks a connection, a store or a log.",
            ForeignAttributesAsync)
        {
            SkipUnless = TransportRule.Can(backend => backend.CanPublishForeign, "No other program can reach this backend."),
        },
    ];

    private static async Task PlainJsonAsync(TransportRun run)
    {
        var handled = new Ledger<(int Number, string Id, string Name)>();
        var node = await run.StartAsync(
            bus => bus.Subscribe<ParcelSent>(
                "all",
                (e, context, _) => handled.RecordAsync((e.Number, context.EventId, context.EventName))));
        await run.Backend.PublishForeignAsync(run.Isolation, Foreign("""{"number":7}"""), CancellationToken.None);
        await run.Backend.PublishForeignAsync(run.Isolation, Foreign("<number>8</number>"), CancellationToken.None);
        await handled.WaitForCountAsync(1, "plain JSON is handled");
        await node.Alerts.WaitForCountAsync(1, "an alert is raised for what is no JSON");
        Expect.Equal((7, ParcelSent.EventName), (handled.Items[0].Number, handled.Items[0].Name), "the content and the name");
        Expect.That(handled.Items[0].Id.Length > 0, "an id for a message that had none");
        Expect.Equal(
            "<number>8</number>",
            Encoding.UTF8.GetString((await node.DeadLetters.ListAsync()).Single().Body.Span),
            "the raw bytes of the dead letter");
    }

    private static async Task ForeignAttributesAsync(TransportRun run)
    {
        var handled = new Ledger<(int Number, string CorrelationId)>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("all", (e, context, token) => context.PublishAsync(new InvoicePaid(e.Number), token))
            .Subscribe<InvoicePaid>("invoices", (e, context, _) => handled.RecordAsync((e.Number, context.CorrelationId))));
        var refused = Invalid(run.Isolation).ToList();
        foreach (var (_, message) in refused)
        {
            await run.Backend.PublishForeignAsync(run.Isolation, message, CancellationToken.None);
        }

        var correlation = new string('c', 1_024);
        await run.Backend.PublishForeignAsync(run.Isolation, Largest(run.Isolation, correlation), CancellationToken.None);
        await handled.WaitForCountAsync(1, "the event at the limits is handled, and the event that its handler published");
        await node.Alerts.WaitForCountAsync(refused.Count, "an alert is raised for each of the others");

        Expect.Sequence([(7, correlation)], handled.Items, "the handled events");
        var letters = await node.DeadLetters.ListAsync();
        Expect.Equal(refused.Count, letters.Count, "the number of dead letters");
        foreach (var (expected, message) in refused)
        {
            var letter = letters.SingleOrDefault(
                found => found.Body.Span.SequenceEqual(message.Body.Span) && found.Reason == DeadLetterReason.Unreadable);
            Expect.That(
                letter is not null,
                $"one dead letter for the message whose error contains \"{expected}\"",
                string.Join("; ", letters.Select(found => found.Error)));
            Expect.That(
                letter!.Error!.Contains(expected, StringComparison.Ordinal),
                $"an error that contains \"{expected}\"",
                letter.Error);
            Expect.Equal(0, letter.Attempts, $"the attempts of the message whose error contains \"{expected}\"");
            Expect.That(
                letter is { EventId.Length: <= 1_024, EventName.Length: <= 200, Headers.Count: <= 64, Key: null or { Length: <= 1_024 } },
                "a dead letter within the limits");
            Expect.Equal(letter.Number, (await node.DeadLetters.FindAsync(letter.Id))?.Number, "the dead letter that is found by its id");
        }

        var unescaped = node.Logs.Entries.Items.FirstOrDefault(entry => entry.Text.Any(char.IsControl));
        Expect.That(unescaped is null, "no log entry with a control character", unescaped?.Text);
    }

    /// <summary>
    /// Creates messages that exceed a limit or contain a control character, each with a part of the error text of its
    /// dead letter.
    /// </summary>
    private static IEnumerable<(string Expected, ForeignMessage Message)> Invalid(string isolation)
    {
        var number = 100;

        // Two ids whose first 1,024 characters are equal: each message gets a dead letter of its own.
        yield return WithAttribute("id", new string('i', 1_025));
        yield return WithAttribute("id", new string('i', 1_024) + "j");
        yield return WithAttribute("correlationid", new string('c', 1_025));
        yield return WithAttribute("correlationid", new string('c', 100_000));
        yield return WithAttribute("causationid", new string('c', 1_025));
        yield return WithAttribute("partitionkey", new string('k', 1_025));
        yield return WithAttribute("source", new string('s', 1_025));
        yield return WithAttribute("tracestate", new string('t', 513));
        yield return WithAttribute("type", $"parcel.{new string('x', 194)}");
        yield return (
            "65 headers",
            Message() with { Headers = Enumerable.Range(0, 65).ToDictionary(i => $"h{i}", _ => "value", StringComparer.Ordinal) });
        yield return (
            "65,537 bytes",
            Message() with { Headers = new Dictionary<string, string> { ["h"] = new('v', (64 * 1024) - 2), ["i"] = "1" } });
        yield return WithAttribute("id", $"{isolation}\r\ncrit: forged", "U+000D");
        yield return WithAttribute("correlationid", "\u001b[2Jcleared", "U+001B");
        yield return WithAttribute("partitionkey", "a\u2028b", "U+2028");

        // Without another text, the error must name the attribute and its length.
        (string, ForeignMessage) WithAttribute(string attribute, string value, string? expected = null)
        {
            var message = Message();
            return (
                expected ?? $"'{attribute}' has {value.Length:N0} characters",
                message with { Attributes = new Dictionary<string, string>(message.Attributes) { [attribute] = value } });
        }

        // Each message has another body, by which its dead letter is found.
        ForeignMessage Message()
        {
            number++;
            return Foreign($$"""{"number":{{number}}}""") with
            {
                Attributes = new Dictionary<string, string>
                {
                    ["id"] = $"{isolation}-{number}",
                    ["type"] = ParcelSent.EventName,
                    ["source"] = "/other"
                },
            };
        }
    }

    /// <summary>
    /// Creates a valid message whose attributes and headers are at their limits. The trace parent is invalid, and is
    /// ignored.
    /// </summary>
    private static ForeignMessage Largest(string isolation, string correlation) => Foreign("""{"number":7}""") with
    {
        Attributes = new Dictionary<string, string>
        {
            ["id"] = isolation.PadRight(1_024, 'i'),
            ["type"] = ParcelSent.EventName,
            ["source"] = new('s', 1_024),
            ["correlationid"] = correlation,
            ["causationid"] = new('c', 1_024),
            ["partitionkey"] = new('k', 1_024),
            ["traceparent"] = new('t', 10_000),
            ["tracestate"] = new('t', 512),
        },
        Headers = Enumerable.Range(0, 64).ToDictionary(i => $"h{i:D3}", _ => new string('v', 1_020), StringComparer.Ordinal),
    };

    private static ForeignMessage Foreign(string body) => new(ParcelSent.EventName, Encoding.UTF8.GetBytes(body));
}
