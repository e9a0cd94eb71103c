namespace EventBus.Sagas;

/// <summary>A question that a step asks, and its answer.</summary>
internal sealed record PaymentRequested(string TripId);
