namespace EventBus.Proof;

/// <summary>The state of a saga that gets no reply in time.</summary>
internal sealed record ExpressParcel(long Number) : Parcel(Number);
