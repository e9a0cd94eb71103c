namespace EventBus.Proof;

internal sealed class ShipExpress(ParcelServices services) : Shipping<ExpressParcel>(services, TimeSpan.FromSeconds(1));
