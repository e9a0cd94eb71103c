using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests invalid input: messages from the broker are not trusted, and none is lost.</summary>
internal static class InputScenarios
{
    private const int MaxBody = 4_000;

    // The number of bytes that a dead letter keeps of a body beyond the limits.
    private const int KeptBytes = 64 * 1024;

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "malformed-input",
            "A message that cannot be read becomes a dead letter at once, with its raw bytes, and starts no handler, so that a faulty "
                + "publisher neither stops a queue nor destroys evidence.",
            MalformedAsync),
        new(
            "unread-bodies",
            "Bodies that cannot be read are stored completely up to a size for each and a total for each subscription; beyond these limits "
                + "a dead letter keeps the beginning, reports that, and is never handled as a complete event, so that such bodies do not "
                + "fill the store.",
            UnreadBodiesAsync),
        new(
            "other-members",
            "An object that has members but none of those of its event type becomes a dead letter that names both, and starts no handler, "
                + "so that an envelope of another bus or another casing is never read as an event with default values.",
            OtherMembersAsync),
    ];

    private static async Task MalformedAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options => options.MaxBodyBytes = MaxBody)
            .Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));
        var messages = MalformedMessage.All(run.Features, MaxBody).ToList();
        for (var i = 0; i < messages.Count; i++)
        {
            await node.SendAsync(new Envelope(messages[i].Attributes($"{run.Isolation}-{i}"), messages[i].Body));
        }

        await node.SendAsync(
            new Envelope(Plain($"{run.Isolation}-valid"), Encoding.UTF8.GetBytes("""{"number":7,"unknown":{"deep":[1]}}""")));
        await handled.WaitForCountAsync(1, "the valid event after them is handled");
        await node.Alerts.WaitForCountAsync(messages.Count, "an alert is raised");
        await node.WhenIdleAsync();

        Expect.Sequence([7], handled.Items, "the events that reached the handler");
        var letters = (await node.DeadLetters.ListAsync()).ToDictionary(letter => letter.EventId);
        for (var i = 0; i < messages.Count; i++)
        {
            var (what, body, reason, _) = messages[i];
            Expect.That(letters.TryGetValue($"{run.Isolation}-{i}", out var letter), $"a dead letter for: {what}");
            Expect.Equal((reason, 0), (letter!.Reason, letter.Attempts), $"the reason and the attempts of the dead letter for: {what}");
            Expect.That(
                letter.Body.Span.SequenceEqual(body),
                $"the raw bytes in the dead letter for: {what}",
                $"{letter.Body.Length} bytes of {body.Length}");
        }

        Expect.Equal(messages.Count, letters.Count, "the number of dead letters");
    }

    private static async Task UnreadBodiesAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus
            .Configure(options =>
            {
                options.MaxBodyBytes = MaxBody;
                options.MaxUnreadBodyBytes = 100_000;
                options.MaxUnreadBytes = 150_000;
            })
            .Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));

        (int Length, bool IsWhole)[] bodies =
        [
            (70_000, true),
            (100_001, false), // Above the limit of one body.
            (80_000, true), // The sum of the bodies that are stored whole is at its limit now.
            (KeptBytes + 1, false), // Above the limit of the sum.
            (KeptBytes, true), // No larger than the part that is always kept.
        ];

        // One after the other, because the sum of the bodies that are already stored decides.
        for (var i = 0; i < bodies.Length; i++)
        {
            await node.SendAsync(new Envelope(Plain($"{run.Isolation}-{i}"), Body(i)));
            await node.Alerts.WaitForCountAsync(i + 1, "an alert is raised");
        }

        await ExpectAsync(manualRetries: 0);
        Expect.Equal(bodies.Length, await node.DeadLetters.RetryAllAsync(), "the number of retried dead letters");
        await node.Alerts.WaitForCountAsync(2 * bodies.Length, "an alert is raised again");
        await ExpectAsync(manualRetries: 1);
        Expect.Sequence([], handled.Items, "the events that reached the handler");

        // Valid JSON of the given length: only the length is invalid. The JSON without the note has 22 bytes.
        byte[] Body(int i) => Encoding.UTF8.GetBytes($$"""{"number":{{i}},"note":"{{new string('x', bodies[i].Length - 22)}}"}""");

        async Task ExpectAsync(int manualRetries)
        {
            var letters = (await node.DeadLetters.ListAsync()).ToDictionary(letter => letter.EventId);
            for (var i = 0; i < bodies.Length; i++)
            {
                var (length, isWhole) = bodies[i];
                var letter = letters[$"{run.Isolation}-{i}"];
                Expect.Equal(
                    (0, manualRetries),
                    (letter.Attempts, letter.ManualRetries),
                    $"the attempts and manual retries of the body of {length:N0} bytes");
                ExpectBody(letter, Body(i), isWhole);
            }
        }
    }

    private static void ExpectBody(DeadLetter letter, byte[] body, bool isWhole)
    {
        var length = body.Length;
        Expect.Equal(
            isWhole ? null : length,
            letter.FullBodyLength,
            $"the recorded full length of the body of {length:N0} bytes (none unless it was cut)");
        Expect.That(
            letter.Body.Span.SequenceEqual(body.AsSpan(0, isWhole ? length : KeptBytes)),
            $"the kept bytes of the body of {length:N0} bytes",
            $"{letter.Body.Length} bytes");
        Expect.Equal(
            !isWhole,
            letter.Error!.Contains($"65,536 of {length:N0} bytes", StringComparison.Ordinal),
            $"whether the error says that the body of {length:N0} bytes was cut ('{letter.Error}')");
    }

    private static async Task OtherMembersAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));
        string[] foreign =
        [
            """{"messageId":"1","message":{"number":5}}""",
            """{"parcel":{"number":5},"specversion":"1.0"}""",
            """{"Nummer":5}"""
        ];
        string[] own = ["""{"other":5,"number":7}""", """{"number":8}""", "{}"];
        foreach (var (i, body) in foreign.Concat(own).Index())
        {
            await node.SendAsync(new Envelope(Plain($"{run.Isolation}-{i}"), Encoding.UTF8.GetBytes(body)));
        }

        await handled.WaitForCountAsync(own.Length, "the objects with a member of the event type, and the empty one, are handled");
        await node.Alerts.WaitForCountAsync(foreign.Length, "an alert is raised");
        await node.WhenIdleAsync();

        Expect.Sequence([0, 7, 8], handled.Items.Order(), "the events that reached the handler");
        var letters = (await node.DeadLetters.ListAsync()).OrderBy(letter => letter.EventId, StringComparer.Ordinal).ToList();
        Expect.Sequence(foreign, letters.Select(letter => Encoding.UTF8.GetString(letter.Body.Span)), "the bodies of the dead letters");
        foreach (var (letter, found) in letters.Zip((string[])["messageId, message", "parcel, specversion", "Nummer"]))
        {
            Expect.Equal((DeadLetterReason.Unreadable, 0), (letter.Reason, letter.Attempts), "the reason and attempts of a dead letter");
            var error = letter.Error ?? "";
            Expect.That(
                error.Contains("number, note", StringComparison.Ordinal) && error.Contains(found, StringComparison.Ordinal),
                "an error that names the members expected and those found",
                letter.Error);
            Expect.That(
                !node.Logs.Entries.Items.Any(entry => entry.Text.Contains(found, StringComparison.Ordinal)),
                "no name of a foreign member in a log");
        }
    }

    private static EnvelopeAttributes Plain(string id) => new() { Id = id, Name = ParcelSent.EventName };
}
