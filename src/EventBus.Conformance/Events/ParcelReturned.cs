namespace EventBus.Conformance;

/// <summary>An event whose name begins with the same word as <c>parcel.sent</c>: both keep one common order.</summary>
[EventName("parcel.returned")]
internal sealed record ParcelReturned(int Number, string? Stamp = null);
