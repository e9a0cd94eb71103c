namespace EventBus.Sagas;

/// <summary>The request of a step that waits for a reply.</summary>
internal sealed record PaymentRequested(string TripId);
