using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus.Redis.Tests;

public sealed class RedisPubSubWireFormatTests
{
    [Fact]
    public void Write_EveryAttribute_IsACloudEventThatCanBeRead()
    {
        var written = new Envelope(
            new EnvelopeAttributes
            {
                Id = "1",
                Name = "order.placed",
                Version = 2,
                Key = "käy",
                Time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
                CorrelationId = "process",
                CausationId = "0",
                TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                TraceState = "a=b",
                Headers = new Dictionary<string, string>
                {
                    ["tenant"] = "t \"1\"",
                    ["X-Odd"] = "ü",
                    ["id"] = "mine",
                    ["subject"] = "",
                    ["headers"] = "h"
                },
            },
            """{"orderId":"4711"}"""u8.ToArray());

        var message = RedisPubSubWireFormat.Write(written, "shop", new RedisPubSubWriterPool());

        Assert.Equal(
            """
            {"specversion":"1.0","id":"1","type":"order.placed","source":"shop","time":"2026-01-02T03:04:05.0000000Z",
            "datacontenttype":"application/json","partitionkey":"käy","correlationid":"process","causationid":"0",
            "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=b","eventversion":2,
            "tenant":"t \"1\"","headers":"{\"X-Odd\":\"ü\",\"id\":\"mine\",\"subject\":\"\",\"headers\":\"h\"}",
            "data":{"orderId":"4711"}}
            """.ReplaceLineEndings(""),
            Encoding.UTF8.GetString(message));
        var read = RedisPubSubWireFormat.Read("order.placed", message, new RedisStringCache(), out var idIsDerived);
        Assert.Equal((false, null, "shop"), (idIsDerived, read.Defect, read.Source));
        Assert.Equal(
            (written.Id, written.Name, written.Version, written.Key, written.Time),
            (read.Id, read.Name, read.Version, read.Key, read.Time));
        Assert.Equal(
            (written.CorrelationId, written.CausationId, written.TraceParent, written.TraceState),
            (read.CorrelationId, read.CausationId, read.TraceParent, read.TraceState));
        Assert.Equal(written.Headers, read.Headers);
        Assert.Equal("""{"orderId":"4711"}""", TextOf(read));
    }

    [Theory]
    [InlineData("""{"a":1,"a":2}""", "application/json", true)]
    [InlineData("null", "application/json", true)]
    [InlineData("\"text\"", "application/json; charset=utf-8", true)]
    [InlineData("[1]", "application/vnd.order+json", true)]
    [InlineData("[1]", "text/json", true)]
    [InlineData("hello", "application/json", false)]
    [InlineData("", "application/json", false)]
    [InlineData("{} {}", "application/json", false)]
    [InlineData("<a/>", "application/xml", false)]
    [InlineData("{}", "text/plain", false)]
    public void Body_WithAnyContent_ArrivesUnchanged(string body, string contentType, bool asJson)
    {
        var message = RedisPubSubWireFormat.Write(Envelope(Encoding.UTF8.GetBytes(body), contentType), "shop", new RedisPubSubWriterPool());

        var read = RedisPubSubWireFormat.Read("order.placed", message, new RedisStringCache(), out _);

        Assert.Equal((body, contentType, null), (TextOf(read), read.ContentType, read.Defect));
        using var document = JsonDocument.Parse(message);
        Assert.Equal(asJson, document.RootElement.TryGetProperty("data", out _));
        Assert.NotEqual(asJson, document.RootElement.TryGetProperty("data_base64", out _));
    }

    [Fact]
    public void Body_NotUtf8OrDeeplyNested_IsSentAsBytes()
    {
        foreach (var body in new byte[][]
        {
            [.. "{\"a\":\""u8, 0xFF, .. "\"}"u8],
            Encoding.UTF8.GetBytes(new string('[', 2_000) + new string(']', 2_000)),
            Encoding.UTF8.GetBytes(new string('[', 900) + new string(']', 900))
        })
        {
            var read = RedisPubSubWireFormat.Read(
                "order.placed",
                RedisPubSubWireFormat.Write(Envelope(body, "application/json"), "shop", new RedisPubSubWriterPool()),
                new RedisStringCache(),
                out _);
            Assert.Null(read.Defect);
            Assert.True(read.Body.Span.SequenceEqual(body));
        }
    }

    [Fact]
    public void Read_CloudEventOfAnotherProgram_UsesItsAttributes()
    {
        var read = Read("""
            { "specversion" : "1.0", "type":"com.shop.order.placed", "source":"/shop", "id":"A-1", "subject":"4711", "number":7,
              "flag":true, "list":[1], "none":null, "datacontenttype":"text/plain", "data":"grüße\n" }
            """);

        Assert.Equal(("A-1", "com.shop.order.placed", "/shop", "4711", null), (read.Id, read.Name, read.Source, read.Key, read.Defect));
        Assert.Equal(new Dictionary<string, string> { ["number"] = "7", ["flag"] = "true" }, read.Headers);
        Assert.Equal(("grüße\n", DateTimeOffset.UnixEpoch), (TextOf(read), read.Time));
        Assert.Equal(
            "subject, kept",
            Read("""{"specversion":"1.0","id":"1","partitionkey":"k","subject":"subject, kept","data":1}""").Headers["subject"]);
        Assert.Equal("{no json", Read("""{"specversion":"1.0","id":"1","headers":"{no json","data":1}""").Headers["headers"]);
    }

    [Theory]
    [InlineData("""{"number":1}""")]
    [InlineData("""[{"specversion":"1.0"}]""")]
    [InlineData("""{"specversion":"1.0","id":"1","data":1} x""")]
    [InlineData("""{"specversion":"1.0","id":"1","data":""")]
    [InlineData("""{"specversion":"1.0","id":"\ud800","data":1}""")]
    [InlineData("no json")]
    [InlineData("")]
    public void Read_NoEnvelope_IsABodyWithAnIdFromItsContent(string message)
    {
        var read = RedisPubSubWireFormat.Read("order.placed", Encoding.UTF8.GetBytes(message), new RedisStringCache(), out var idIsDerived);

        Assert.Equal((message, "order.placed", null, true), (TextOf(read), read.Name, read.Defect, idIsDerived));
        Assert.StartsWith("sha256-", read.Id, StringComparison.Ordinal);
        Assert.NotEqual(
            read.Id,
            RedisPubSubWireFormat.Read("order.paid", Encoding.UTF8.GetBytes(message), new RedisStringCache(), out _).Id);
    }

    [Theory]
    [InlineData("""{"specversion":"0.3","id":"1","data":1}""", "version of CloudEvents")]
    [InlineData("""{"specversion":1,"id":"1","data":1}""", "version of CloudEvents")]
    [InlineData("""{"specversion":"1.0","id":"1"}""", "no data")]
    [InlineData("""{"specversion":"1.0","id":"1","data":1,"data":2}""", "data twice")]
    [InlineData("""{"specversion":"1.0","id":"1","data":1,"data_base64":""}""", "data twice")]
    [InlineData("""{"specversion":"1.0","id":"1","data_base64":"%"}""", "base 64")]
    [InlineData("""{"specversion":"1.0","id":"1","data_base64":{"a":[1]}}""", "base 64")]
    [InlineData("""{"specversion":"1.0","id":"1","id":"2","data":1}""", "attribute twice")]
    [InlineData("""{"specversion":"1.0","id":"1","time":"noon","data":1}""", "'time'")]
    [InlineData("""{"specversion":"1.0","id":"1","type":"Order Placed","data":1}""", "'type'")]
    [InlineData("""{"specversion":"1.0","id":"1","eventversion":0,"data":1}""", "'eventversion'")]
    public void Read_DefectiveEnvelope_NamesTheDefect(string message, string wrong)
    {
        var read = Read(message);

        Assert.Contains(wrong, read.Defect, StringComparison.Ordinal);
        Assert.Equal("order.placed", read.Name);
    }

    [Fact]
    public void Read_CutAnywhere_NeverThrows()
    {
        var whole = RedisPubSubWireFormat.Write(
            Envelope("""{"a":"ü"}"""u8.ToArray(), "application/json"),
            "shop",
            new RedisPubSubWriterPool());
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Null(RedisPubSubWireFormat.Read("order.placed", whole[..length], new RedisStringCache(), out _).Defect);
        }
    }

    private static Envelope Envelope(byte[] body, string contentType) =>
        new(new EnvelopeAttributes { Id = "1", Name = "order.placed", ContentType = contentType }, body);

    private static Envelope Read(string message) =>
        RedisPubSubWireFormat.Read("order.placed", Encoding.UTF8.GetBytes(message), new RedisStringCache(), out _);

    private static string TextOf(Envelope envelope) => Encoding.UTF8.GetString(envelope.Body.Span);
}
