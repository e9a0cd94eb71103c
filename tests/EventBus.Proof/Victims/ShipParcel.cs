namespace EventBus.Proof;

internal sealed class ShipParcel(ParcelServices services) : Shipping<Parcel>(services, TimeSpan.FromMinutes(10));
