namespace EventBus.Conformance;

/// <summary>Version 1 of an event whose content changed.</summary>
[EventName("parcel.weighed", Version = 1)]
internal sealed record ParcelWeighedV1(int Grams);
