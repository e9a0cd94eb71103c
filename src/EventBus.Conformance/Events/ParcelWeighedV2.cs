namespace EventBus.Conformance;

/// <summary>Version 2 of the event, in another unit.</summary>
[EventName("parcel.weighed", Version = 2)]
internal sealed record ParcelWeighedV2(decimal Kilograms);
