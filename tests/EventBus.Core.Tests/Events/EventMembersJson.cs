using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HeightMeasured))]
internal sealed partial class EventMembersJson : JsonSerializerContext;
