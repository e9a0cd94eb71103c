namespace EventBus.Conformance;

/// <summary>An event as it was before its shape changed.</summary>
[EventName("parcel.weighed", Version = 1)]
internal sealed record ParcelWeighedV1(int Grams);
