using System.Text.Json.Serialization;

namespace EventBus;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HeightMeasured))]
internal sealed partial class EventMembersJson : JsonSerializerContext;
