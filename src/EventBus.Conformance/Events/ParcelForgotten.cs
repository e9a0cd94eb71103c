namespace EventBus.Conformance;

/// <summary>An event without a subscription.</summary>
[EventName("parcel.forgotten")]
internal sealed record ParcelForgotten(int Number);
