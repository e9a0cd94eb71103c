using System.Text.Json.Serialization;

namespace EventBus.Conformance;

/// <summary>Serializes the suite's events.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ParcelSent))]
[JsonSerializable(typeof(ParcelReturned))]
[JsonSerializable(typeof(ParcelLost))]
[JsonSerializable(typeof(ParcelLostAbroad))]
[JsonSerializable(typeof(InvoicePaid))]
[JsonSerializable(typeof(ParcelForgotten))]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderLinePlaced))]
[JsonSerializable(typeof(StockPlaced))]
[JsonSerializable(typeof(ParcelWeighedV1))]
[JsonSerializable(typeof(ParcelWeighedV2))]
internal sealed partial class ConformanceJson : JsonSerializerContext;
