using EventBus.Stores;

namespace EventBus;

/// <summary>The event becomes a dead letter at once: its handler is not called, or not again.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure
{
    /// <summary>
    /// Creates the failure of an event that the store refuses to read or write, although it accepts other events.
    /// </summary>
    public static Rejected Unstorable(StoreRefusedException refused) =>
        new(new Rejection(DeadLetterReason.Unstorable, ExceptionText.MessageOf(refused)));
}
