using System.Text.Json.Serialization;

namespace EventBus.Conformance;

/// <summary>The event of most scenarios.</summary>
[EventName(EventName)]
internal sealed record ParcelSent(int Number, string? Note = null)
{
    public const string EventName = "parcel.sent";
}

/// <summary>A second event with the same first word, so of the same log.</summary>
[EventName("parcel.returned")]
internal sealed record ParcelReturned(int Number, string? Stamp = null);

/// <summary>What some events of parcels have in common.</summary>
internal interface IParcelEvent
{
    int Number { get; }
}

/// <summary>An event that is derived from.</summary>
[EventName("parcel.lost")]
internal record ParcelLost(int Number) : IParcelEvent;

/// <summary>An event that is both what it is and what it derives from.</summary>
[EventName("parcel.lost-abroad")]
internal sealed record ParcelLostAbroad(int Number) : ParcelLost(Number);

/// <summary>An event of another log.</summary>
[EventName("invoice.paid")]
internal sealed record InvoicePaid(int Number);

/// <summary>An event that nobody subscribes to.</summary>
[EventName("parcel.forgotten")]
internal sealed record ParcelForgotten(int Number);

/// <summary>An event as it was before its shape changed.</summary>
[EventName("parcel.weighed", Version = 1)]
internal sealed record ParcelWeighedV1(int Grams);

/// <summary>The same event today.</summary>
[EventName("parcel.weighed", Version = 2)]
internal sealed record ParcelWeighedV2(decimal Kilograms);

/// <summary>Declares the first word <c>order</c>.</summary>
[EventName("order.placed")]
internal sealed record OrderPlaced;

/// <summary>Declares the first word <c>order-line</c>.</summary>
[EventName("order-line.placed")]
internal sealed record OrderLinePlaced;

/// <summary>Declares the first word <c>stock</c>.</summary>
[EventName("stock.placed")]
internal sealed record StockPlaced;

/// <summary>How the suite's events are written.</summary>
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
