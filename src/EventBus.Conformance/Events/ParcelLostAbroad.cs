namespace EventBus.Conformance;

/// <summary>An event that derives from another event.</summary>
[EventName("parcel.lost-abroad")]
internal sealed record ParcelLostAbroad(int Number) : ParcelLost(Number);
