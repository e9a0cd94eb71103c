namespace EventBus.Conformance;

/// <summary>An event that is also handled as its base type.</summary>
[EventName("parcel.lost-abroad")]
internal sealed record ParcelLostAbroad(int Number) : ParcelLost(Number);
