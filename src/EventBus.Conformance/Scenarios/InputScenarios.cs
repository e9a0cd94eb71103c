using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>What arrives from a wire is trusted in nothing, and lost in nothing.</summary>
internal static class InputScenarios
{
    private const int MaxBody = 4_000;

    public static IEnumerable<Scenario> All { get; } =
    [
        new("malformed-input", "What cannot be read becomes a dead letter at once with its raw bytes and starts no handler, so that one bad publisher neither stops a queue nor loses evidence.", MalformedAsync),
        new("foreign-message", "Plain JSON from a program in another language is handled, and its garbage becomes a dead letter, so that other services need no library of ours.", ForeignAsync)
        {
            RuledOut = Rule.Can(backend => backend.CanPublishForeign, "No other program can reach this backend."),
        },
    ];

    private static async Task MalformedAsync(ScenarioRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options => options.MaxBodyBytes = MaxBody).Subscribe<ParcelSent>("all", (e, _, _) => handled.NoteAsync(e.Number)));
        var cases = Cases(run.Features).ToList();
        for (var i = 0; i < cases.Count; i++)
        {
            var (_, body, _, attributes) = cases[i];
            await node.SendAsync(new Envelope(attributes($"{run.Isolation}-{i}"), body));
        }

        await node.SendAsync(new Envelope(Plain($"{run.Isolation}-good"), Encoding.UTF8.GetBytes("""{"number":7,"unknown":{"deep":[1]}}""")));
        await handled.ReachAsync(1, "the good event after them is handled");
        await node.Alerts.ReachAsync(cases.Count, "an alert is raised");
        await node.QuietAsync();

        Expect.Sequence([7], handled.Items, "what reached the handler");
        var letters = (await node.DeadLetters.ListAsync()).ToDictionary(letter => letter.EventId);
        for (var i = 0; i < cases.Count; i++)
        {
            var (what, body, reason, _) = cases[i];
            Expect.That(letters.TryGetValue($"{run.Isolation}-{i}", out var letter), $"a dead letter for: {what}");
            Expect.Equal((reason, 0), (letter!.Reason, letter.Starts), $"the reason and the starts of the dead letter for: {what}");
            Expect.That(letter.Body.Span.SequenceEqual(body), $"the raw bytes in the dead letter for: {what}", $"{letter.Body.Length} bytes of {body.Length}");
        }

        Expect.Equal(cases.Count, letters.Count, "the number of dead letters");
    }

    private static async Task ForeignAsync(ScenarioRun run)
    {
        var handled = new Ledger<(int Number, string Id, string Name)>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, context, _) => handled.NoteAsync((e.Number, context.EventId, context.EventName))));
        await run.Backend.PublishForeignAsync(run.Isolation, ParcelSent.EventName, Encoding.UTF8.GetBytes("""{"number":7}"""), CancellationToken.None);
        await run.Backend.PublishForeignAsync(run.Isolation, ParcelSent.EventName, Encoding.UTF8.GetBytes("<number>8</number>"), CancellationToken.None);
        await handled.ReachAsync(1, "plain JSON is handled");
        await node.Alerts.ReachAsync(1, "an alert is raised for what is no JSON");
        Expect.Equal((7, ParcelSent.EventName), (handled.Items[0].Number, handled.Items[0].Name), "the content and the name");
        Expect.That(handled.Items[0].Id.Length > 0, "an id for a message that had none");
        Expect.Equal("<number>8</number>", Encoding.UTF8.GetString((await node.DeadLetters.ListAsync()).Single().Body.Span), "the raw bytes of the dead letter");
    }

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
        yield return ("bytes that are no UTF-8", [.. "{\"number\":1,\"note\":\""u8, 0xFF, 0xFE, .. "\"}"u8], DeadLetterReason.Unreadable, Plain);
        yield return ("binary", [0, 1, 2, 3, 255], DeadLetterReason.Unreadable, Plain);
        yield return ("too large", Encoding.UTF8.GetBytes($$"""{"number":1,"note":"{{new string('x', MaxBody)}}"}"""), DeadLetterReason.TooLarge, Plain);
        yield return ("an unknown version", "{\"number\":1}"u8.ToArray(), DeadLetterReason.UnknownEvent, id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Version = 9 });
        yield return ("another media type", "{\"number\":1}"u8.ToArray(), DeadLetterReason.Unreadable, id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, ContentType = "application/xml" });
        if (!features.Serializes)
        {
            yield return ("what the transport found defective", "{\"number\":1}"u8.ToArray(), DeadLetterReason.Unreadable, id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Defect = "The header is broken." });
        }
    }

    private static (string, byte[], DeadLetterReason, Func<string, EnvelopeAttributes>) Unreadable(string what, string body) => (what, Encoding.UTF8.GetBytes(body), DeadLetterReason.Unreadable, Plain);

    private static EnvelopeAttributes Plain(string id) => new() { Id = id, Name = ParcelSent.EventName };
}
