namespace EventBus.Conformance;

/// <summary>An event that is both what it is and what it derives from.</summary>
[EventName("parcel.lost-abroad")]
internal sealed record ParcelLostAbroad(int Number) : ParcelLost(Number);
