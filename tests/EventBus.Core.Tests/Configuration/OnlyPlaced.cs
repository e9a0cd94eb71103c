using System.Text.Json.Serialization;

namespace EventBus;

[JsonSerializable(typeof(OrderPlaced))]
internal sealed partial class OnlyPlaced : JsonSerializerContext;
