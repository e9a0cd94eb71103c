using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

[JsonSerializable(typeof(OrderPlaced))]
internal sealed partial class OnlyPlaced : JsonSerializerContext;
