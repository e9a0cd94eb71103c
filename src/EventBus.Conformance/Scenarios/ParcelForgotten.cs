namespace EventBus.Conformance;

/// <summary>An event that nobody subscribes to.</summary>
[EventName("parcel.forgotten")]
internal sealed record ParcelForgotten(int Number);
