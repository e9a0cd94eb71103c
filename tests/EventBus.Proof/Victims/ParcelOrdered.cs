namespace EventBus.Proof;

/// <summary>The order of a parcel: its handler starts the saga.</summary>
[EventName("parcel.ordered")]
internal sealed record ParcelOrdered(long Number);
