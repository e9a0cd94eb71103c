namespace TripBooking;

/// <summary>The saga requests the confirmation: <c>confirmation.requested</c>.</summary>
public sealed record ConfirmationRequested(string TripId, string Traveller, string IdempotencyKey);

/// <summary>
/// The confirmation was sent, or the mail server refuses it: <c>confirmation.answered</c>. The saga waits for this
/// event.
/// </summary>
public sealed record ConfirmationAnswered(string TripId, bool IsSent);
