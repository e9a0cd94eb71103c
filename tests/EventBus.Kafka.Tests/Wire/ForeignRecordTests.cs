using System.Text;
using Confluent.Kafka;

namespace EventBus.Kafka.Tests;

/// <summary>Tests records of other programs: each is an event, or says what is wrong with it.</summary>
public sealed class ForeignRecordTests
{
    private static readonly (string, object?)[] Minimal = [("ce_type", "order.placed")];

    [Fact]
    public void Read_RecordWithATypeOnly_HasDefaultsAndThePlaceAsId()
    {
        var message = new Message<byte[]?, byte[]?>
        {
            Key = "order-4711"u8.ToArray(),
            Value = "{}"u8.ToArray(),
            Headers = [new Header("ce_type", "order.placed"u8.ToArray())],
            Timestamp = new Timestamp(1_764_536_400_000, TimestampType.CreateTime),
        };

        var (envelope, kind) = KafkaWireFormat.Read(Records.Received(message), Records.Names());

        Assert.Equal(KafkaReadingKind.Event, kind);
        Assert.Equal(
            ("order-events/3/42", "order.placed", 1, "order-4711", "order-events", "application/json", null),
            (envelope.Id, envelope.Name, envelope.Version, envelope.Key, envelope.Source, envelope.ContentType, envelope.Defect));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_764_536_400_000), envelope.Time);
        Assert.Equal(envelope.Id, envelope.CorrelationId);
    }

    [Fact]
    public void Read_HeadersWithAHyphen_AreAttributesToo()
    {
        var envelope = Read(value: [], headers: [("ce-type", "order.placed"), ("ce-id", "7"), ("ce-source", "/other")]);

        Assert.Equal(("order.placed", "7", "/other"), (envelope.Name, envelope.Id, envelope.Source));
    }

    [Fact]
    public void Read_PlainTypeAndId_NameTheEvent()
    {
        var (envelope, kind) = KafkaWireFormat.Read(
            Records.Received([], [("type", "order.placed"), ("id", "7"), ("tenant", "a")]), Records.Names());

        Assert.Equal((KafkaReadingKind.Event, "order.placed", "7"), (kind, envelope.Name, envelope.Id));
        Assert.Equal("a", envelope.Headers["tenant"]);
    }

    [Fact]
    public void Read_RepeatedHeader_IsTheLastOne() =>
        Assert.Equal("2", Read([], [.. Minimal, ("ce_id", "1"), ("ce_id", "2")]).Id);

    [Fact]
    public void Read_HeaderThatIsNullOrNoText_IsLeftOut()
    {
        var envelope = Read([], [.. Minimal, ("ce_id", null), ("binary", new byte[] { 0xFF, 0xFE }), ("null", null)]);

        Assert.Equal(("order-events/3/42", null), (envelope.Id, envelope.Defect));
        Assert.Empty(envelope.Headers);
    }

    [Theory]
    [InlineData("ce_id")]
    [InlineData("ce_type")]
    [InlineData("ce_partitionkey")]
    [InlineData("ce_correlationid")]
    [InlineData("content-type")]
    public void Read_AttributeThatIsNoUtf8_IsADefectThatNamesIt(string header)
    {
        var envelope = Read([], [.. Minimal, (header, new byte[] { (byte)'a', 0xC3, 0x28 })]);

        Assert.Contains("is not valid UTF-8", envelope.Defect, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ce_eventversion", "zero", "'eventversion'")]
    [InlineData("ce_eventversion", "0", "'eventversion'")]
    [InlineData("ce_time", "yesterday", "'time'")]
    [InlineData("ce_specversion", "0.3", "'specversion'")]
    [InlineData("ce_type", "Order Placed", "'type'")]
    [InlineData("ce_type", "order.*", "'type'")]
    public void Read_AttributeThatIsInvalid_IsADefectThatNamesIt(string header, string value, string expected) =>
        Assert.Contains(expected, Read([], [.. Minimal, (header, value)]).Defect, StringComparison.Ordinal);

    [Fact]
    public void Read_TypeThatIsTooLong_IsADefectWithItsLengthUnderTheNameOfTheTopic()
    {
        var envelope = Read([], [("ce_type", $"order.{new string('x', 195)}")]);

        Assert.Equal("order.unreadable", envelope.Name);
        Assert.Contains("'type' has 201 characters", envelope.Defect, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-11-30T21:00:00Z")]
    [InlineData("2026-11-30T22:00:00.123456789+01:00")]
    [InlineData("2026-11-30T21:00:00.1234567Z")]
    public void Read_TimeOfOtherPrograms_IsRead(string time)
    {
        var envelope = Read([], [.. Minimal, ("ce_time", time)]);

        Assert.Null(envelope.Defect);
        Assert.Equal(new DateTimeOffset(2026, 11, 30, 21, 0, 0, TimeSpan.Zero), envelope.Time, TimeSpan.FromSeconds(1));
    }

    [Theory]
    [InlineData("application/cloudevents+json")]
    [InlineData("application/cloudevents+json; charset=utf-8")]
    [InlineData("application/cloudevents-batch+json")]
    public void Read_StructuredMode_IsADefectThatSaysSo(string contentType) =>
        Assert.Contains("structured mode", Read("{}"u8.ToArray(), [("content-type", contentType)]).Defect, StringComparison.Ordinal);

    [Fact]
    public void Read_ValueOfASchemaRegistry_IsADefectThatSaysSo() =>
        Assert.Contains("schema registry", Read([0, 0, 0, 0, 7, 2], Minimal).Defect, StringComparison.Ordinal);

    [Fact]
    public void Read_RecordWithoutAnything_IsNamelessAndSaysWhatToCall()
    {
        var (envelope, kind) = KafkaWireFormat.Read(Records.Received("hello"u8.ToArray()), Records.Names());

        Assert.Equal((KafkaReadingKind.Nameless, "order.unreadable"), (kind, envelope.Name));
        Assert.Equal("hello", Encoding.UTF8.GetString(envelope.Body.Span));
        Assert.Contains("FromTopic(\"order-events\")", envelope.Defect, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_RecordWithoutNameAndValue_IsATombstone()
    {
        var (envelope, kind) = KafkaWireFormat.Read(Records.Received(null, key: "k"u8.ToArray()), Records.Names());

        Assert.Equal(KafkaReadingKind.Tombstone, kind);
        Assert.NotNull(envelope.Defect);
    }

    [Fact]
    public void Read_EventWithoutValue_HasAnEmptyBody()
    {
        var (envelope, kind) = KafkaWireFormat.Read(Records.Received(null, Minimal), Records.Names());

        Assert.Equal((KafkaReadingKind.Event, 0, null), (kind, envelope.Body.Length, envelope.Defect));
    }

    [Fact]
    public void Read_KeyThatIsNoText_KeepsTheOrderOfItsEvents()
    {
        Assert.Equal("0x00000005", Key([0, 0, 0, 5]));
        Assert.Equal("0xff", Key([0xFF]));
        Assert.StartsWith("sha256-", Key([.. Enumerable.Repeat((byte)0, 300)]), StringComparison.Ordinal);
        Assert.Null(Key([]));

        static string? Key(byte[] key) => KafkaWireFormat.Read(Records.Received([], Minimal, key), Records.Names()).Envelope.Key;
    }

    [Fact]
    public void ReadAny_RecordWithoutHeaders_DoesNotThrow()
    {
        var record = Records.Received(new Message<byte[]?, byte[]?> { Value = null, Headers = null });

        Assert.Equal(KafkaReadingKind.Tombstone, KafkaWireFormat.ReadAny(record, Records.Names()).Kind);
    }

    [Theory]
    [InlineData("named", "{}", "order.placed")]
    [InlineData("property", """{"a":{"kind":"x.y"},"kind":"order.paid"}""", "order.paid")]
    [InlineData("property", """{"kind":7}""", null)]
    [InlineData("property", "no json", null)]
    [InlineData("property", """["kind"]""", null)]
    [InlineData("header", "{}", "order.sent")]
    public void Read_TopicThatTheApplicationDescribes_NamesItsEvents(string how, string body, string? expected)
    {
        var options = new KafkaOptions();
        var topic = options.FromTopic("legacy");
        _ = how switch
        {
            "named" => topic.Named("order.placed"),
            "header" => topic.NamedByHeader("kind"),
            _ => topic.NamedByProperty("kind"),
        };

        var (envelope, kind) = KafkaWireFormat.Read(
            Records.Received(Encoding.UTF8.GetBytes(body), [("kind", "order.sent")], topic: "legacy"), Records.Names(options));

        Assert.Equal(expected is null ? KafkaReadingKind.Nameless : KafkaReadingKind.Event, kind);
        Assert.Equal(expected ?? "event.unreadable", envelope.Name);
    }

    private static Transports.Envelope Read(byte[] value, (string, object?)[] headers) =>
        KafkaWireFormat.Read(Records.Received(value, headers), Records.Names()).Envelope;
}
