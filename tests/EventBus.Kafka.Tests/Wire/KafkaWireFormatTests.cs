using System.Text;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests that an event keeps its attributes on the way through a record.</summary>
public sealed class KafkaWireFormatTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 30, 21, 0, 1, 234, TimeSpan.Zero);

    [Fact]
    public void Write_AnEvent_HasTheHeadersOfCloudEventsAndPlainJson()
    {
        var message = KafkaWireFormat.Write(Event(), Records.CommonHeaders);

        Assert.Equal("{\"id\":\"4711\"}"u8.ToArray(), message.Value);
        Assert.Equal("order-4711"u8.ToArray(), message.Key);
        Assert.Equal("1.0", Records.HeaderOf(message, "ce_specversion"));
        Assert.Equal("e-1", Records.HeaderOf(message, "ce_id"));
        Assert.Equal("order.placed", Records.HeaderOf(message, "ce_type"));
        Assert.Equal("shop", Records.HeaderOf(message, "ce_source"));
        Assert.Equal("2026-11-30T21:00:01.2340000Z", Records.HeaderOf(message, "ce_time"));
        Assert.Equal("order-4711", Records.HeaderOf(message, "ce_partitionkey"));
        Assert.Equal("application/json", Records.HeaderOf(message, "content-type"));
    }

    [Fact]
    public void Write_AnEventOfDefaults_HasNoHeadersForThem()
    {
        var message = KafkaWireFormat.Write(
            new Envelope(new EnvelopeAttributes { Id = "e", Name = "order.placed" }, [1]), Records.CommonHeaders);

        Assert.Null(message.Key);
        Assert.Equal(
            ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"],
            message.Headers.Select(header => header.Key));
    }

    [Fact]
    public void Write_AnEventWithoutData_HasAnEmptyValueAndNoNull()
    {
        var message = KafkaWireFormat.Write(
            new Envelope(new EnvelopeAttributes { Id = "e", Name = "order.placed" }, []), Records.CommonHeaders);

        Assert.Empty(message.Value);
    }

    [Fact]
    public void Read_AWrittenEvent_HasTheSameAttributes()
    {
        var sent = new Envelope(
            new EnvelopeAttributes
            {
                Id = "e-1",
                Name = "order.placed",
                Version = 3,
                Key = "order-4711",
                Time = Time,
                Headers = new Dictionary<string, string> { ["tenant"] = "köln", ["empty"] = "" },
                CorrelationId = "c",
                CausationId = "e-0",
                IdIsDerived = true,
                TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                TraceState = "a=1",
                Source = "checkout",
            },
            "{}"u8.ToArray());

        var received = Records.RoundTrip(sent);

        Assert.Null(received.Defect);
        Assert.Equal(
            (sent.Id, sent.Name, sent.Version, sent.Key, sent.Time, sent.CorrelationId, sent.CausationId, sent.IdIsDerived),
            (received.Id, received.Name, received.Version, received.Key, received.Time, received.CorrelationId, received.CausationId,
                received.IdIsDerived));
        Assert.Equal((sent.TraceParent, sent.TraceState, sent.Source), (received.TraceParent, received.TraceState, received.Source));
        Assert.Equal(sent.Headers, received.Headers);
        Assert.Equal("{}", Encoding.UTF8.GetString(received.Body.Span));
    }

    [Theory]
    [InlineData("ce_id")]
    [InlineData("ce-type")]
    [InlineData("content-type")]
    [InlineData("Content-Type")]
    [InlineData("traceparent")]
    public void FindProblem_HeaderWithAMeaningOfItsOwn_NamesIt(string name)
    {
        var envelope = new Envelope(
            new EnvelopeAttributes { Id = "e", Name = "order.placed", Headers = new Dictionary<string, string> { [name] = "x" } }, []);

        Assert.Contains($"'{name}'", KafkaWireFormat.FindProblem(envelope), StringComparison.Ordinal);
    }

    [Fact]
    public void FindProblem_HeadersOfTheUser_AreNone() => Assert.Null(KafkaWireFormat.FindProblem(Event()));

    private static Envelope Event() => new(
        new EnvelopeAttributes
        {
            Id = "e-1",
            Name = "order.placed",
            Key = "order-4711",
            Time = Time,
            Headers = new Dictionary<string, string> { ["tenant"] = "a", ["type"] = "b", ["id"] = "c" },
        },
        "{\"id\":\"4711\"}"u8.ToArray());
}
