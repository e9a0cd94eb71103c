namespace EventBus.Proof;

/// <summary>These get no reply in time.</summary>
internal sealed record ExpressParcel(long Number) : Parcel(Number);
