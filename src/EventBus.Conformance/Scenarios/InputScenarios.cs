using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests invalid input: messages from the broker are not trusted, and none is lost.</summary>
internal static class InputScenarios
{
    private const int MaxBody = 4_000;

    public static IEnumerable<Scenario> All { get; } =
    [
        new(
            "malformed-input",
            "What cannot be read becomes a dead letter at once with its raw bytes and starts no handler, so that one bad publisher "
                + "neither stops a queue nor loses evidence.",
            MalformedAsync),
        new(
            "unread-bodies",
            "Bodies that cannot be read are kept whole up to a size, and up to a sum for a subscription; beyond, a dead letter keeps the "
                + "beginning, says so, and is never handled as if it were whole, so that foreign bodies fill no store.",
            UnreadBodiesAsync),
        new(
            "other-members",
            "An object that has members and none of those of its event type becomes a dead letter that names both, and starts no "
                + "handler, so that an envelope of another bus or another casing is never taken for an event of nulls and zeros.",
            OtherMembersAsync),
        new(
            "foreign-message",
            "Plain JSON from a program in another language is handled, and its garbage becomes a dead letter, so that other services "
                + "need no library of ours.",
            ForeignAsync)
        {
            RuledOut = Rule.Can(backend => backend.CanPublishForeign, "No other program can reach this backend."),
        },
        new(
            "foreign-attributes",
            "An attribute beyond its limit, or with a control character, becomes one dead letter that names the attribute and its "
                + "length, and what is within the bounds is handled and published on, so that no foreign text costs a connection, a "
                + "store or a log.",
            ForeignAttributesAsync)
        {
            RuledOut = Rule.Can(backend => backend.CanPublishForeign, "No other program can reach this backend."),
        },
    ];

    private static async Task MalformedAsync(ScenarioRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options => options.MaxBodyBytes = MaxBody)
            .Subscribe<ParcelSent>("all", (e, _, _) => handled.NoteAsync(e.Number)));
        var cases = Cases(run.Features).ToList();
        for (var i = 0; i < cases.Count; i++)
        {
            var (_, body, _, attributes) = cases[i];
            await node.SendAsync(new Envelope(attributes($"{run.Isolation}-{i}"), body));
        }

        await node.SendAsync(
            new Envelope(Plain($"{run.Isolation}-good"), Encoding.UTF8.GetBytes("""{"number":7,"unknown":{"deep":[1]}}""")));
        await handled.ReachAsync(1, "the good event after them is handled");
        await node.Alerts.ReachAsync(cases.Count, "an alert is raised");
        await node.QuietAsync();

        Expect.Sequence([7], handled.Items, "what reached the handler");
        var letters = (await node.DeadLetters.ListAsync()).ToDictionary(letter => letter.EventId);
        for (var i = 0; i < cases.Count; i++)
        {
            var (what, body, reason, _) = cases[i];
            Expect.That(letters.TryGetValue($"{run.Isolation}-{i}", out var letter), $"a dead letter for: {what}");
            Expect.Equal((reason, 0), (letter!.Reason, letter.Attempts), $"the reason and the attempts of the dead letter for: {what}");
            Expect.That(
                letter.Body.Span.SequenceEqual(body),
                $"the raw bytes in the dead letter for: {what}",
                $"{letter.Body.Length} bytes of {body.Length}");
        }

        Expect.Equal(cases.Count, letters.Count, "the number of dead letters");
    }

    private static async Task UnreadBodiesAsync(ScenarioRun run)
    {
        const int Beginning = 64 * 1024;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(
            options => (options.MaxBodyBytes, options.MaxUnreadBodyBytes, options.MaxUnreadBytes) = (MaxBody, 100_000, 150_000))
            .Subscribe<ParcelSent>("all", (e, _, _) => handled.NoteAsync(e.Number)));

        // In sequence, because the sum of the stored bodies decides: stored whole, too large, whole up to the sum,
        // beyond the sum, always small enough.
        (int Length, bool IsWhole)[] bodies = [(70_000, true), (100_001, false), (80_000, true), (Beginning + 1, false), (Beginning, true)];
        for (var i = 0; i < bodies.Length; i++)
        {
            await node.SendAsync(new Envelope(Plain($"{run.Isolation}-{i}"), Body(i)));
            await node.Alerts.ReachAsync(i + 1, "an alert is raised");
        }

        await ExpectAsync(replays: 0);
        Expect.Equal(bodies.Length, await node.DeadLetters.RetryAllAsync(), "the number of those retried");
        await node.Alerts.ReachAsync(2 * bodies.Length, "an alert is raised again");
        await ExpectAsync(replays: 1);
        Expect.Sequence([], handled.Items, "what reached the handler");

        // Valid JSON: only the length is invalid.
        byte[] Body(int i) => Encoding.UTF8.GetBytes($$"""{"number":{{i}},"note":"{{new string('x', bodies[i].Length - 22)}}"}""");

        async Task ExpectAsync(int replays)
        {
            var letters = (await node.DeadLetters.ListAsync()).ToDictionary(letter => letter.EventId);
            for (var i = 0; i < bodies.Length; i++)
            {
                var (length, isWhole) = bodies[i];
                var letter = letters[$"{run.Isolation}-{i}"];
                Expect.Equal(
                    (0, replays),
                    (letter.Attempts, letter.ManualRetries),
                    $"the attempts and manual retries of the body of {length:N0} bytes");
                Expect.Equal(
                    isWhole ? null : length,
                    letter.FullBodyLength,
                    $"the full length of the body of {length:N0} bytes, where it was cut");
                Expect.That(
                    letter.Body.Span.SequenceEqual(Body(i).AsSpan(0, isWhole ? length : Beginning)),
                    $"the kept bytes of the body of {length:N0} bytes",
                    $"{letter.Body.Length} bytes");
                Expect.Equal(
                    !isWhole,
                    letter.Error!.Contains($"65,536 of {length:N0} bytes", StringComparison.Ordinal),
                    $"whether the error says that the body of {length:N0} bytes was cut ('{letter.Error}')");
            }
        }
    }

    private static async Task OtherMembersAsync(ScenarioRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.NoteAsync(e.Number)));
        string[] others = [
            """{"messageId":"1","message":{"number":5}}""",
            """{"parcel":{"number":5},"specversion":"1.0"}""",
            """{"Nummer":5}"""
        ];
        string[] own = ["""{"other":5,"number":7}""", """{"number":8}""", "{}"];
        foreach (var (i, body) in others.Concat(own).Index())
        {
            await node.SendAsync(new Envelope(Plain($"{run.Isolation}-{i}"), Encoding.UTF8.GetBytes(body)));
        }

        await handled.ReachAsync(own.Length, "those that have a member of the type, and the one that has none, are handled");
        await node.Alerts.ReachAsync(others.Length, "an alert is raised");
        await node.QuietAsync();

        Expect.Sequence([0, 7, 8], handled.Items.Order(), "what reached the handler");
        var letters = (await node.DeadLetters.ListAsync()).OrderBy(letter => letter.EventId, StringComparer.Ordinal).ToList();
        Expect.Sequence(others, letters.Select(letter => Encoding.UTF8.GetString(letter.Body.Span)), "the bodies of the dead letters");
        foreach (var (letter, found) in letters.Zip((string[])["messageId, message", "parcel, specversion", "Nummer"]))
        {
            Expect.Equal(
                (DeadLetterReason.Unreadable, 0),
                (letter.Reason, letter.Attempts),
                "the reason and the attempts of a dead letter");
            Expect.That(letter.Error is { } error && error.Contains("number, note", StringComparison.Ordinal) && error.Contains(
                found,
                StringComparison.Ordinal), "an error that names the members expected and those found", letter.Error);
            Expect.That(
                !node.Logs.Entries.Items.Any(entry => entry.Text.Contains(found, StringComparison.Ordinal)),
                "no name of a foreign member in a log");
        }
    }

    private static async Task ForeignAsync(ScenarioRun run)
    {
        var handled = new Ledger<(int Number, string Id, string Name)>();
        var node = await run.StartAsync(
            bus => bus.Subscribe<ParcelSent>("all", (e, context, _) => handled.NoteAsync((e.Number, context.EventId, context.EventName))));
        await run.Backend.PublishForeignAsync(run.Isolation, Foreign("""{"number":7}"""), CancellationToken.None);
        await run.Backend.PublishForeignAsync(run.Isolation, Foreign("<number>8</number>"), CancellationToken.None);
        await handled.ReachAsync(1, "plain JSON is handled");
        await node.Alerts.ReachAsync(1, "an alert is raised for what is no JSON");
        Expect.Equal((7, ParcelSent.EventName), (handled.Items[0].Number, handled.Items[0].Name), "the content and the name");
        Expect.That(handled.Items[0].Id.Length > 0, "an id for a message that had none");
        Expect.Equal(
            "<number>8</number>",
            Encoding.UTF8.GetString((await node.DeadLetters.ListAsync()).Single().Body.Span),
            "the raw bytes of the dead letter");
    }

    private static async Task ForeignAttributesAsync(ScenarioRun run)
    {
        var handled = new Ledger<(int Number, string CorrelationId)>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>("all", (e, context, cancel) => context.PublishAsync(new InvoicePaid(e.Number), cancel))
            .Subscribe<InvoicePaid>("invoices", (e, context, _) => handled.NoteAsync((e.Number, context.CorrelationId))));
        var refused = Oversized(run.Isolation).ToList();
        foreach (var (_, message) in refused)
        {
            await run.Backend.PublishForeignAsync(run.Isolation, message, CancellationToken.None);
        }

        var correlation = new string('c', 1_024);
        await run.Backend.PublishForeignAsync(run.Isolation, Largest(run.Isolation, correlation), CancellationToken.None);
        await handled.ReachAsync(1, "the event at all bounds is handled, and so is what its handler published");
        await node.Alerts.ReachAsync(refused.Count, "an alert is raised for each of the others");

        Expect.Sequence([(7, correlation)], handled.Items, "what was handled");
        var letters = await node.DeadLetters.ListAsync();
        Expect.Equal(refused.Count, letters.Count, "the number of dead letters");
        foreach (var (expected, message) in refused)
        {
            var letter = letters.SingleOrDefault(
                letter => letter.Body.Span.SequenceEqual(message.Body.Span) && letter.Reason == DeadLetterReason.Unreadable);
            Expect.That(
                letter is not null,
                $"one dead letter for what has {expected}",
                string.Join("; ", letters.Select(each => each.Error)));
            Expect.That(letter!.Error!.Contains(expected, StringComparison.Ordinal), $"an error that says '{expected}'", letter.Error);
            Expect.Equal(0, letter.Attempts, $"the attempts of the event that has {expected}");
            Expect.That(
                letter is { EventId.Length: <= 1_024, EventName.Length: <= 200, Headers.Count: <= 64 } && !(letter.Key?.Length > 1_024),
                "a dead letter within the bounds");
            Expect.Equal(letter.Number, (await node.DeadLetters.FindAsync(letter.Id))?.Number, "the dead letter that is found by its id");
        }

        var broken = node.Logs.Entries.Items.FirstOrDefault(entry => entry.Text.Any(char.IsControl));
        Expect.That(broken is null, "no log entry with a control character", broken?.Text);
    }

    /// <summary>Creates messages that exceed one limit each, with the expected error text of the dead letter.</summary>
    private static IEnumerable<(string Expected, ForeignMessage Message)> Oversized(string isolation)
    {
        var number = 100;
        yield return With("id", new string('i', 1_025));
        yield return With("id", new string('i', 1_024) + "j");
        yield return With("correlationid", new string('c', 1_025));
        yield return With("correlationid", new string('c', 100_000));
        yield return With("causationid", new string('c', 1_025));
        yield return With("partitionkey", new string('k', 1_025));
        yield return With("source", new string('s', 1_025));
        yield return With("tracestate", new string('t', 513));
        yield return With("type", $"parcel.{new string('x', 194)}");
        yield return (
            "65 headers",
            Message() with { Headers = Enumerable.Range(0, 65).ToDictionary(i => $"h{i}", _ => "value", StringComparer.Ordinal) });
        yield return (
            "65,537 bytes",
            Message() with { Headers = new Dictionary<string, string> { ["h"] = new('v', (64 * 1024) - 2), ["i"] = "1" } });
        yield return With("id", $"{isolation}\r\ncrit: forged", "U+000D");
        yield return With("correlationid", "\u001b[2Jcleared", "U+001B");
        yield return With("partitionkey", "a\u2028b", "U+2028");

        (string, ForeignMessage) With(string attribute, string value, string? expected = null)
        {
            var message = Message();
            return (
                expected ?? $"'{attribute}' has {value.Length:N0} characters",
                message with { Attributes = new Dictionary<string, string>(message.Attributes) { [attribute] = value } });
        }

        ForeignMessage Message() => new(ParcelSent.EventName, Encoding.UTF8.GetBytes($$"""{"number":{{++number}}}"""))
        {
            Attributes = new Dictionary<string, string>
            {
                ["id"] = $"{isolation}-{number}",
                ["type"] = ParcelSent.EventName,
                ["source"] = "/other"
            },
        };
    }

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

    private static IEnumerable<(string What, byte[] Body, DeadLetterReason Reason, Func<string, EnvelopeAttributes> Attributes)> Cases(TransportFeatures features)
    {
        yield return Unreadable("nothing at all", "");
        yield return Unreadable("no JSON", "hello");
        yield return Unreadable("JSON that ends early", """{"number":1""");
        yield return Unreadable("JSON with something after it", """{"number":1} {"number":2}""");
        yield return Unreadable("null", "null");
        yield return Unreadable("an array instead of an object", "[1]");
        yield return Unreadable("a value of another type", """{"number":"one"}""");
        yield return Unreadable("a number that is too large", """{"number":99999999999999999999}""");
        yield return Unreadable("duplicate properties", """{"number":1,"number":2}""");
        yield return Unreadable("too deep", $$"""{"number":1,"unknown":{{new string('[', 40)}}{{new string(']', 40)}}}""");
        yield return (
            "bytes that are no UTF-8",
            [.. "{\"number\":1,\"note\":\""u8, 0xFF, 0xFE, .. "\"}"u8],
            DeadLetterReason.Unreadable,
            Plain);
        yield return ("binary", [0, 1, 2, 3, 255], DeadLetterReason.Unreadable, Plain);
        yield return (
            "too large",
            Encoding.UTF8.GetBytes($$"""{"number":1,"note":"{{new string('x', MaxBody)}}"}"""),
            DeadLetterReason.TooLarge,
            Plain);
        yield return (
            "an unknown version",
            "{\"number\":1}"u8.ToArray(),
            DeadLetterReason.UnknownEvent,
            id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Version = 9 });
        yield return (
            "another media type",
            "{\"number\":1}"u8.ToArray(),
            DeadLetterReason.Unreadable,
            id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, ContentType = "application/xml" });
        if (!features.Serializes)
        {
            yield return (
                "what the transport found defective",
                "{\"number\":1}"u8.ToArray(),
                DeadLetterReason.Unreadable,
                id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Defect = "The header is broken." });
        }
    }

    private static (string, byte[], DeadLetterReason, Func<string, EnvelopeAttributes>) Unreadable(string what, string body) =>
        (what, Encoding.UTF8.GetBytes(body), DeadLetterReason.Unreadable, Plain);

    private static EnvelopeAttributes Plain(string id) => new() { Id = id, Name = ParcelSent.EventName };
}
