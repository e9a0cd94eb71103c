namespace TripBooking;

/// <summary>Thrown if the mail server refuses the confirmation: nothing was sent, and a retry cannot help.</summary>
public sealed class ConfirmationRefusedException(string traveller) : Exception($"the mail server refuses the address of {traveller}");
