namespace EventBus.Sagas;

internal sealed record PaymentSettled(string TripId, string Receipt);
