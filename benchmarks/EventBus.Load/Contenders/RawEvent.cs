using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace EventBus.Load;

/// <summary>
/// Writes and reads the attributes of an event for a raw client: the same CloudEvents attributes as the bus.
/// </summary>
internal readonly record struct RawEvent(string Id, string Type, string Source, DateTimeOffset Time)
{
    public const string Name = "order.placed";
    public const string Origin = "load";

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web) { MaxDepth = 32, AllowDuplicateProperties = false };

    public string TimeText => Time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>Makes the attributes of an event that is published now.</summary>
    public static RawEvent Now()
    {
        var now = TimeProvider.System.GetUtcNow();
        return new RawEvent(Guid.CreateVersion7(now).ToString("D"), Name, Origin, now);
    }

    public static byte[] Write(OrderPlaced @event) => JsonSerializer.SerializeToUtf8Bytes(@event, Json);

    public static OrderPlaced Read(ReadOnlySpan<byte> body) => JsonSerializer.Deserialize<OrderPlaced>(body, Json)!;

    public static DateTimeOffset ReadTime(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out DateTimeOffset time, out _, 'O') ? time : throw new FormatException("That is no time.");
}
