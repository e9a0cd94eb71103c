using System.Text;
using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Records and names for the tests of the wire format.</summary>
internal static class Records
{
    public const string Topic = "order-events";

    /// <summary>The common headers of the application <c>shop</c>.</summary>
    public static KafkaHeaderCache CommonHeaders { get; } = new("shop");

    /// <summary>Creates the names of an application.</summary>
    public static KafkaTopology Names(KafkaOptions? options = null, params Subscription[] subscriptions) =>
        new(options ?? new KafkaOptions(), new TransportTopology("shop", subscriptions, ["order.placed"], TimeProvider.System));

    /// <summary>Creates a subscription.</summary>
    public static Subscription Subscription(string name, params string[] patterns) => new(name, [.. patterns.Select(EventPattern.Parse)]);

    /// <summary>Creates a received record. Texts become UTF-8.</summary>
    public static ConsumeResult<byte[]?, byte[]?> Received(
        byte[]? value, IEnumerable<(string Name, object? Value)>? headers = null, byte[]? key = null, string topic = Topic)
    {
        var list = new Headers();
        foreach (var (name, content) in headers ?? [])
        {
            list.Add(name, content is string text ? Encoding.UTF8.GetBytes(text) : (byte[]?)content);
        }

        return Received(new Message<byte[]?, byte[]?> { Key = key, Value = value, Headers = list }, topic);
    }

    /// <summary>Creates a received record from a message.</summary>
    public static ConsumeResult<byte[]?, byte[]?> Received(Message<byte[]?, byte[]?> message, string topic = Topic) =>
        new() { TopicPartitionOffset = new TopicPartitionOffset(topic, 3, 42), Message = message };

    /// <summary>Writes an event and reads it again.</summary>
    public static Envelope RoundTrip(Envelope envelope)
    {
        var written = KafkaWireFormat.Write(envelope, CommonHeaders);
        var message = new Message<byte[]?, byte[]?> { Key = written.Key, Value = written.Value, Headers = written.Headers };
        return KafkaWireFormat.Read(Received(message), Names()).Envelope;
    }

    /// <summary>Reads a header of a message as text; null if there is none.</summary>
    public static string? HeaderOf(Message<byte[]?, byte[]> message, string name) =>
        message.Headers.TryGetLastBytes(name, out var bytes) ? Encoding.UTF8.GetString(bytes) : null;
}
