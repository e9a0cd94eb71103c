namespace TripBooking;

/// <summary>The saga asks for the confirmation to be sent: <c>confirmation.requested</c>.</summary>
public sealed record ConfirmationRequested(string TripId, string Traveller, string IdempotencyKey);

/// <summary>The traveller has it: <c>confirmation.sent</c>, for which the saga waits.</summary>
public sealed record ConfirmationSent(string TripId);
