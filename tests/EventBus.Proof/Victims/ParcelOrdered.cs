namespace EventBus.Proof;

/// <summary>A parcel is to be shipped: its handler starts the saga.</summary>
[EventName("parcel.ordered")]
internal sealed record ParcelOrdered(long Number);
