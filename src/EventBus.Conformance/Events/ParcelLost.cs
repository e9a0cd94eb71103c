namespace EventBus.Conformance;

/// <summary>An event from which another event derives.</summary>
[EventName("parcel.lost")]
internal record ParcelLost(int Number) : IParcelEvent;
