namespace EventBus.Conformance;

/// <summary>A second event with the same first word, and therefore in the same log.</summary>
[EventName("parcel.returned")]
internal sealed record ParcelReturned(int Number, string? Stamp = null);
