using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus;

public sealed class RefusingConverter : JsonConverter<string>
{
    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new FormatException($"Odd: {reader.GetString()}");

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}
