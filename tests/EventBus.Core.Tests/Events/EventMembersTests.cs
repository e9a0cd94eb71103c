using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Shows that a JSON object without members of the event type is a defect, not an event with default values.
/// </summary>
public sealed class EventMembersTests : IAsyncDisposable
{
    private readonly InjectingTransport transport = new();
    private readonly LogMemory log = new();
    private readonly Seen handled = new();

    public async ValueTask DisposeAsync()
    {
        log.Dispose();
        await transport.DisposeAsync();
    }

    public static TheoryData<Type, string, bool> Bodies => new()
    {
        { typeof(SizeMeasured), """{"height":1}""", true },
        { typeof(SizeMeasured), """{"other":{"height":2},"height":1}""", true },
        { typeof(SizeMeasured), """{"HEIGHT":1}""", true },
        { typeof(SizeMeasured), """{"h\u0065ight":1}""", true },
        { typeof(SizeMeasured), "{}", true },
        { typeof(SizeMeasured), """{"größe":1}""", true },
        { typeof(SizeMeasured), """{"hoehe":1}""", false },
        { typeof(SizeMeasured), """{"data":{"height":1},"specversion":"1.0"}""", false },
        { typeof(SizeMeasured), """{"$type":"Other.Envelope, Other","message":{"height":1}}""", false },
        { typeof(SizeMeasured), """{"ignored":1}""", false },
        { typeof(SizeMeasured), """{"":1}""", false },
        { typeof(NothingSaid), "{}", true },
        { typeof(NothingSaid), """{"more":1}""", true },
        { typeof(AnythingSaid), """{"more":1}""", true },
        { typeof(PointDrawn), """{"x,y":"1,2"}""", true },
        { typeof(ShapeDrawn), """{"$type":"circle","radius":1}""", true },
        { typeof(ShapeDrawn), """{"$type":"dot"}""", true },
        { typeof(ShapeDrawn), """{"$type":"circle","other":1}""", false },
        { typeof(ShapeDrawn), """{"name":"x"}""", true },
        { typeof(PriceQuoted), """{"amount":1}""", true },
        { typeof(PriceQuoted), """{"price":1}""", false },
        { typeof(FixedSaid), """{"kind":"fixed"}""", true },
        { typeof(FixedSaid), """{"sort":"fixed"}""", false },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public void Check_BodyWithoutAnyMemberOfTheType_IsRejected(Type type, string body, bool isFine)
    {
        var info = new EventJson([], 32).Find(type)!;

        var rejection = EventMembers.For(info)?.Check(Encoding.UTF8.GetBytes(body));

        Assert.Equal(isFine, rejection is null);
        if (isFine)
        {
            Assert.NotNull(JsonSerializer.Deserialize(body, info));
        }
    }

    [Theory]
    [InlineData("""{"Height":1}""", false)]
    [InlineData("""{"height":1}""", true)]
    [InlineData("""{"measured_at":"2026-01-01T00:00:00Z"}""", true)]
    [InlineData("""{"measuredAt":"2026-01-01T00:00:00Z"}""", false)]
    public void Check_WithAGeneratedContext_UsesTheNamesInJson(string body, bool isFine)
    {
        var info = new EventJson([EventMembersJson.Default], 32).Find(typeof(HeightMeasured))!;

        Assert.Equal(isFine, EventMembers.For(info)!.Check(Encoding.UTF8.GetBytes(body)) is null);
    }

    [Fact]
    public void Check_KnownMember_AllocatesNothing()
    {
        var members = EventMembers.For(new EventJson([], 32).Find(typeof(SizeMeasured))!)!;
        var body = """{"height":1,"other":2}"""u8.ToArray();
        _ = members.Check(body);
        var before = GC.GetAllocatedBytesForCurrentThread();

        _ = members.Check(body);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("1")]
    [InlineData("\"text\"")]
    public void Check_NoJsonObject_IsLeftToTheReader(string body) =>
        Assert.Null(EventMembers.For(new EventJson([], 32).Find(typeof(SizeMeasured))!)!.Check(Encoding.UTF8.GetBytes(body)));

    [Theory]
    [InlineData("""{"total":1}""", "; required and missing: orderId")]
    [InlineData("{}", "; required and missing: orderId")]
    [InlineData("""{"orderId":"1"}""", "")]
    [InlineData("""{"total":1,""", "")]
    [InlineData("[1]", "")]
    public void DescribeMissing_BodyWithoutARequiredMember_NamesIt(string body, string expected)
    {
        var info = new EventJson([], 32).Find(typeof(OrderImported))!;

        Assert.Equal(expected, EventMembers.For(info)!.DescribeMissing(Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public async Task Envelope_OfAnotherBus_IsADeadLetterWhoseErrorNamesTheMembersAndWhoseLogDoesNot()
    {
        await using var bus = await StartAsync();
        var body = """
            {"messageId":"1","messageType":["urn:message:Size"],"message":{"height":1},
            "sentTime":"now","headers":{},"host":{},"more":1}
            """;

        await transport.DeliverAsync((Attributes("1"), Encoding.UTF8.GetBytes(body)), (Attributes("2"), """{"height":7}"""u8.ToArray()));

        var letter = (await bus.Services.GetRequiredService<AlertInbox>().NextAsync("an envelope of another bus came")).First;
        Assert.Equal((DeadLetterReason.Unreadable, 0, body), (letter.Reason, letter.Attempts, Encoding.UTF8.GetString(letter.Body.Span)));
        Assert.Equal(
            $"The body is an object without any member of {typeof(SizeMeasured)}: expected is one of height, größe, at.",
            letter.Error);
        Assert.Equal(
            $"{letter.Error} Its members are messageId, messageType, message, sentTime, headers and 2 more.",
            (await bus.DeadLetters.FindAsync(letter.Id, TestContext.Current.CancellationToken))!.Error);
        Assert.Equal(["7"], handled.Items);
        Assert.Contains("expected is one of height", Assert.Single(log.At(LogLevel.Critical)), StringComparison.Ordinal);
        Assert.DoesNotContain(log.Entries, entry => entry.Text.Contains("messageId", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Names_ThatMayBeContent_AreReplacedByTheirLength()
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync((
            Attributes("1"),
            Encoding.UTF8.GetBytes($$"""{"someone@example.com":1,"a\nb":2,"{{new string('x', 100_000)}}":3,"@class":4}""")));

        var alerted = (await bus.Services.GetRequiredService<AlertInbox>().NextAsync("an object of other members came")).First;
        Assert.EndsWith("expected is one of height, größe, at.", alerted.Error, StringComparison.Ordinal);
        var letter = (await bus.DeadLetters.FindAsync(alerted.Id, TestContext.Current.CancellationToken))!;
        Assert.EndsWith(
            $"Its members are (a name of 19 characters), (a name of 3 characters), {new string('x', 64)}..., @class.",
            letter.Error,
            StringComparison.Ordinal);
    }

    /// <summary>Uses dictionary keys that look like names of members.</summary>
    [Fact]
    public async Task Names_ThatLookLikeMembers_AreInTheDeadLetterButInNoAlertOrLog()
    {
        await using var bus = await StartAsync();

        await transport.DeliverAsync((Attributes("1"), """{"4915112345678":1,"john.doe":2}"""u8.ToArray()));

        var alert = await bus.Services.GetRequiredService<AlertInbox>().NextAsync("a dictionary came");
        Assert.DoesNotContain("4915112345678", alert.First.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("john", alert.First.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(log.Entries, entry => entry.Text.Contains("4915112345678", StringComparison.Ordinal));
        Assert.EndsWith(
            "Its members are 4915112345678, john.doe.",
            Assert.Single(await bus.DeadLetters.ListAsync(cancellationToken: TestContext.Current.CancellationToken)).Error,
            StringComparison.Ordinal);
    }

    private static EnvelopeAttributes Attributes(string id) => new() { Id = id, Name = "size.measured" };

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(
        bus => bus.UseTransport("UseScript()", _ => transport)
            .StoreInMemory()
            .AddAlert<AlertInbox>()
            .Subscribe<SizeMeasured>("sizes", (e, _, _) =>
            {
                handled.Add($"{e.Height}");
                return Task.CompletedTask;
            }),
        services: services => services.AddLogging(logging => logging.AddProvider(log)));

    internal sealed record SizeMeasured(int Height, [property: JsonPropertyName("größe")] int? Size = null)
    {
        public DateTimeOffset? At { get; init; }

        [JsonIgnore]
        public int Ignored { get; init; }
    }

    internal sealed record OrderImported([property: JsonRequired] string OrderId, decimal Total);

    internal sealed record NothingSaid;

    internal sealed record AnythingSaid(int Height)
    {
        [JsonExtensionData]
        public Dictionary<string, JsonElement>? More { get; init; }
    }

    [JsonConverter(typeof(PointConverter))]
    internal sealed record PointDrawn(int X, int Y);

    internal sealed class PointConverter : JsonConverter<PointDrawn>
    {
        public override PointDrawn Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return new PointDrawn(1, 2);
        }

        public override void Write(Utf8JsonWriter writer, PointDrawn value, JsonSerializerOptions options) => writer.WriteStartObject();
    }

    [JsonDerivedType(typeof(Circle), "circle")]
    [JsonDerivedType(typeof(Dot), "dot")]
    internal record ShapeDrawn(string? Name);

    internal sealed record Circle(string? Name, int Radius) : ShapeDrawn(Name);

    internal sealed record Dot() : ShapeDrawn("dot");

    internal sealed class PriceQuoted
    {
        [JsonInclude]
        internal int Amount { get; set; }
    }

    internal sealed record FixedSaid
    {
        public string Kind => "fixed";
    }
}
