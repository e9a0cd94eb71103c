namespace EventBus.Conformance;

/// <summary>An event that is derived from.</summary>
[EventName("parcel.lost")]
internal record ParcelLost(int Number) : IParcelEvent;
