using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that logs, alerts and errors contain only names and ids of foreign texts, and that these begin no new lines.
/// </summary>
public sealed class ForeignTextTests : IAsyncDisposable
{
    private const string Secret = "someone@example.com";

    private readonly InjectingTransport transport = new();
    private readonly LogMemory log = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        log.Dispose();
        await transport.DisposeAsync();
    }

    public static TheoryData<string, string> Bodies => new()
    {
        { "a value behind a dictionary key", $$$"""{"map":{"{{{Secret}}}":"x"}}""" },
        { "a key that is there twice", $$$"""{"map":{"{{{Secret}}}":1,"{{{Secret}}}":2}}""" },
        { "a value of another type", $$"""{"number":"{{Secret}}"}""" },
        { "a body that is a text", $"\"{Secret}\"" },
        { "no JSON", Secret },
        { "JSON that breaks off", $$"""{"map":{"{{Secret}}":""" },
        { "what a converter refuses", $$"""{"odd":"{{Secret}}"}""" },
        { "what a setter refuses", $$"""{"faulty":"{{Secret}}"}""" },
        { "what an upcast refuses", $$"""{"upcast":"{{Secret}}"}""" },
    };

    [Theory]
    [MemberData(nameof(Bodies), DisableDiscoveryEnumeration = true)]
    public async Task UnreadableBody_WithAnyContent_ShowsOnlyTypeAndPosition(string what, string body)
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync(
            (new EnvelopeAttributes { Id = "1", Name = "contact.imported" }, System.Text.Encoding.UTF8.GetBytes(body)));

        var letter = (await bus.Services.GetRequiredService<AlertInbox>().NextAsync($"{what} became a dead letter")).First;
        Assert.Equal(DeadLetterReason.Unreadable, letter.Reason);
        Assert.DoesNotContain(Secret, $"{letter.Error} {letter.ErrorDetails} {string.Join(' ', letter.History)}", StringComparison.Ordinal);
        Assert.Contains("Exception", letter.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(log.Entries, entry => entry.Everything.Contains(Secret, StringComparison.Ordinal));
        Assert.Contains(log.Entries, entry => entry.Everything.Contains(letter.Id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task UnreadableBody_WithAnErrorAtAPosition_NamesLineAndByte()
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync((new EnvelopeAttributes { Id = "1", Name = "contact.imported" }, "{\n  \"number\": x }"u8.ToArray()));

        Assert.Equal(
            $"The body cannot be read as {typeof(ContactImported)}: System.Text.Json.JsonException at line 2, byte 13.",
            (await bus.DeadLetters.ListAsync(cancellationToken: Token)).Single().Error);
    }

    [Fact]
    public async Task HandlersException_WithLinesAndEscapes_IsOneLineInTheMessageAndTheError()
    {
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(0).AddAlert<AlertInbox>().Subscribe<OrderPlaced>(
                "mail",
                (_, _, _) => throw new InvalidOperationException("a\u2028crit: forged\u001b[2J\u202e\nsecond")),
            services: services => services.AddLogging(logging => logging.AddProvider(log)));

        await bus.Bus.PublishAsync(new OrderPlaced("1"), Token);

        var letter = (await bus.Services.GetRequiredService<AlertInbox>().NextAsync("the handler failed for good")).First;
        Assert.Equal(@"System.InvalidOperationException: a\u2028crit: forged\u001B[2J\u202E", letter.Error);
        Assert.Equal(letter.Error, letter.History.Single().Error);
        Assert.All(log.Entries, entry => Assert.Equal(PrintableText.Of(entry.Text), entry.Text));
    }

    [Fact]
    public async Task Metrics_OfForeignNames_ShareOneTagValue()
    {
        var names = new ConcurrentBag<(string Instrument, string? Name)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, measuring) =>
        {
            if (instrument.Meter.Name == BusDiagnostics.Name)
            {
                measuring.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) =>
        {
            var values = tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value as string);
            if (values.GetValueOrDefault("messaging.consumer.group.name") == "foreign-metrics")
            {
                names.Add((instrument.Name, values["messaging.destination.name"]));
            }
        });
        listener.Start();
        await using var bus =
            await RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport).StoreInMemory().Publishes<OrderShipped>()
                .SubscribePattern("foreign-metrics", "#", (context, _) => context.EventName.StartsWith("bad", StringComparison.Ordinal)
                    ? throw new InvalidOperationException()
                    : Task.CompletedTask).Retry(0));

        await transport.DeliverAsync([.. Enumerable.Range(0, 10).Select(i => (
            new EnvelopeAttributes { Id = $"{i}", Name = i == 0 ? "order.shipped" : i % 2 == 0 ? $"bad.name{i}" : $"good.name{i}" },
            """{"orderId":"1"}"""u8.ToArray()))]);

        Assert.Equal(["_OTHER", "order.shipped"], Of("messaging.client.consumed.messages"));
        Assert.Equal(["_OTHER"], Of("eventbus.dead_letters"));

        IEnumerable<string?> Of(string instrument) =>
            names.Where(name => name.Instrument == instrument).Select(name => name.Name).Distinct().Order(StringComparer.Ordinal);
    }

    [Fact]
    public async Task Alerts_OfInventedNames_AreSentTogether()
    {
        var time = new FakeTimeProvider();
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseTransport("UseScript()", _ => transport)
                .StoreInMemory()
                .AddAlert<AlertInbox>()
                .Publishes<OrderShipped>()
                .SubscribePattern("all", "#", (_, _) => throw new InvalidOperationException("planned"))
                .Retry(0),
            time);
        var inbox = bus.Services.GetRequiredService<AlertInbox>();

        await transport.DeliverAsync([.. Enumerable.Range(0, 100)
            .Select(i => (new EnvelopeAttributes { Id = $"{i}", Name = $"invented.name{i}" }, "{}"u8.ToArray()))]);
        var first = await inbox.NextAsync("an event of an invented name failed");
        await transport.DeliverAsync((new EnvelopeAttributes { Id = "known", Name = "order.shipped" }, """{"orderId":"1"}"""u8.ToArray()));
        var known = await inbox.NextAsync("an event of a declared name failed");
        var (reported, alerts) = (first.Count, 1);
        for (; reported < 100; alerts++)
        {
            time.Advance(TimeSpan.FromMinutes(1));
            reported += (await inbox.NextAsync("the interval is over")).Count;
        }

        Assert.Equal("order.shipped", known.First.EventName);
        Assert.Equal(100, reported);
        Assert.InRange(alerts, 1, 10);
    }

    [Theory]
    [InlineData("plain 'text' ü 日本 😀", "plain 'text' ü 日本 😀")]
    [InlineData("a\r\nb", @"a\u000D\u000Ab")]
    [InlineData("\u001b[31m\u0085\u2028\u2029", @"\u001B[31m\u0085\u2028\u2029")]
    [InlineData("a\u202eb\u200bc\ufeff", @"a\u202Eb\u200Bc\uFEFF")]
    [InlineData("\U000E0041", @"\uDB40\uDC41")]
    [InlineData(@"a\u000Ab", @"a\u000Ab")]
    [InlineData("", "")]
    public void PrintableText_OfAnyText_IsOneVisibleLine(string text, string expected)
    {
        Assert.Equal(expected, PrintableText.Of(text));
        Assert.Equal(expected, PrintableText.Of(expected));
    }

    [Fact]
    public void PrintableText_OfHalfACharacter_IsItsCode() => Assert.Equal(@"a\uD800b\uDC00", PrintableText.Of("a\ud800b\udc00"));

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(
        bus => bus.UseTransport("UseScript()", _ => transport)
            .StoreInMemory()
            .AddAlert<AlertInbox>()
            .Subscribe<ContactMoved>("contacts", (_, _, _) => Task.CompletedTask)
            .Publishes<ContactImported>()
                .Upcast<ContactImported, ContactMoved>(old => throw new InvalidOperationException($"Cannot move {old.Upcast}")),
        services: services => services.AddLogging(logging => logging.AddProvider(log)));
}
