namespace EventBus;

public sealed record ParcelWeighed(string ParcelId, int Grams, ParcelSize Size = ParcelSize.Small, IReadOnlyList<int>? Stops = null);
