using System.Buffers;
using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Finds the attribute that a property of a message stands for.</summary>
internal static class RedisPubSubAttributes
{
    /// <summary>Gets the attribute of the current property name; null if the bus does not use it.</summary>
    public static RedisPubSubAttribute? Find(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
        {
            return Find(reader.GetString());
        }

        Span<char> name = stackalloc char[CloudEventAttributes.MaxLength];
        return reader.ValueSpan.Length <= name.Length && Ascii.ToUtf16(reader.ValueSpan, name, out var length) == OperationStatus.Done
            ? Find(name[..length])
            : null;
    }

    private static RedisPubSubAttribute? Find(ReadOnlySpan<char> name) => name switch
    {
        CloudEventAttributes.SpecVersion => RedisPubSubAttribute.SpecVersion,
        CloudEventAttributes.Id => RedisPubSubAttribute.Id,
        CloudEventAttributes.Type => RedisPubSubAttribute.Type,
        CloudEventAttributes.Source => RedisPubSubAttribute.Source,
        CloudEventAttributes.Time => RedisPubSubAttribute.Time,
        CloudEventAttributes.DataContentType => RedisPubSubAttribute.ContentType,
        CloudEventAttributes.PartitionKey => RedisPubSubAttribute.Key,
        CloudEventAttributes.Subject => RedisPubSubAttribute.Subject,
        CloudEventAttributes.CorrelationId => RedisPubSubAttribute.CorrelationId,
        CloudEventAttributes.CausationId => RedisPubSubAttribute.CausationId,
        CloudEventAttributes.DerivedId => RedisPubSubAttribute.DerivedId,
        CloudEventAttributes.TraceParent => RedisPubSubAttribute.TraceParent,
        CloudEventAttributes.TraceState => RedisPubSubAttribute.TraceState,
        CloudEventAttributes.EventVersion => RedisPubSubAttribute.Version,
        _ => null,
    };
}
