namespace EventBus.Conformance;

/// <summary>The same event today.</summary>
[EventName("parcel.weighed", Version = 2)]
internal sealed record ParcelWeighedV2(decimal Kilograms);
