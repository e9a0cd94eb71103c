namespace EventBus.Conformance;

/// <summary>An event with a derived event type.</summary>
[EventName("parcel.lost")]
internal record ParcelLost(int Number) : IParcelEvent;
