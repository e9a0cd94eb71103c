using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests attributes that other clients spell, scale or encode in a different way.</summary>
public sealed class ForeignSpellingTests
{
    private static readonly byte[] Body = "{\"number\":1}"u8.ToArray();

    public static TheoryData<string?> PlainEncodings =>
        ["UTF-8", "utf-8", "Utf8", "us-ascii", "identity", "identity, UTF-8", " , utf-8 ", "8bit", "", (string?)null];

    /// <summary>Uses a real broker, with each attribute in the type that another client may choose.</summary>
    [Theory]
    [MemberData(nameof(PlainEncodings))]
    public async Task Message_WithTheEncodingUtf8_IsHandled(string? encoding)
    {
        var name = TestBroker.NewName();
        var handled = new Seen<DateTimeOffset>();
        await using var app = await TestBus.StartAsync(name, null, bus => bus.Subscribe<TestHappened>("tests", (_, context, _) =>
        {
            handled.Add(context.Time);
            return Task.CompletedTask;
        }));
        var properties = new BasicProperties
        {
            MessageId = "1",
            ContentType = "Application/JSON; charset=UTF-8",
            ContentEncoding = encoding!,
            Priority = 3,
            DeliveryMode = DeliveryModes.Transient,
            Timestamp = new AmqpTimestamp(1_700_000_000_000),
            Headers = new Dictionary<string, object?>
            {
                ["cloudEvents_specversion"] = 1.0,
                ["cloudEvents_id"] = new BinaryTableValue("1"u8.ToArray()),
                ["cloudEvents_type"] = new BinaryTableValue("test.happened"u8.ToArray()),
                ["cloudEvents_eventversion"] = 1,
                ["cloudEvents_partitionkey"] = 5L,
                ["cloudEvents_correlationid"] = null,
                ["a table"] = new Dictionary<string, object?> { ["a"] = 1 },
            },
        };

        await TestBroker.PublishForeignAsync(name, "test.happened", Body, properties);

        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), await handled.NextAsync("the event"));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("gzip, UTF-8")]
    [InlineData("GZIP:UTF-8")]
    [InlineData("utf-16")]
    public void Message_WithAnUnsupportedEncoding_NamesIt(string encoding) =>
        Assert.Contains("content encoding", Read(new BasicProperties { ContentEncoding = encoding }).Defect!, StringComparison.Ordinal);

    [Theory]
    [InlineData(1_700_000_000)]
    [InlineData(1_700_000_000_000)]
    [InlineData(1_700_000_000_000_000)]
    [InlineData(1_700_000_000_000_000_000)]
    public void Time_InSecondsOrSmallerUnits_IsTheSame(long time)
    {
        object[] forms = [new AmqpTimestamp(time), time, Encoding.UTF8.GetBytes($"{time}")];

        Assert.All(forms, form => Assert.Equal(
            (DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), null),
            (Read(With("time", form)).Time, Read(With("time", form)).Defect)));
    }

    /// <summary>
    /// The value may be the raw bytes of a GUID, for instance. It no longer identifies the event, but the event is
    /// handled.
    /// </summary>
    [Theory]
    [InlineData("\u0001\uFFFDab")]
    [InlineData("a\tb")]
    public void Property_ThatIsNoText_IsIgnored(string odd)
    {
        var read = Read(new BasicProperties { MessageId = odd, CorrelationId = odd });

        Assert.Null(read.Defect);
        Assert.StartsWith("sha256-", read.Id, StringComparison.Ordinal);
        Assert.Equal(read.Id, read.CorrelationId);
        Assert.Equal(read.Id, Read(new BasicProperties { MessageId = odd }).Id);
        Assert.NotEqual(read.Id, Read(new BasicProperties { MessageId = odd + "\u0002" }).Id);
    }

    [Fact]
    public void TraceState_WithATab_IsOmitted()
    {
        var read = Read(With("tracestate", "a=1,\tb=2"u8.ToArray()));

        Assert.Equal((null, null), (read.TraceState, read.Defect));
    }

    private static BasicProperties With(string attribute, object value) =>
        new() { Headers = new Dictionary<string, object?> { [$"cloudEvents_{attribute}"] = value } };

    private static Envelope Read(BasicProperties properties) => RabbitMqWireFormat.Read("test.happened", properties, Body, out _);
}
