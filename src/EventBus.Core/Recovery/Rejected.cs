using EventBus.Stores;

namespace EventBus;

/// <summary>The event becomes a dead letter without a call of its handler.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure
{
    /// <summary>
    /// Creates the failure of an event for which the store refuses a call that it accepts for other events.
    /// </summary>
    public static Rejected Unstorable(StoreRefusedException refused) =>
        new(new Rejection(DeadLetterReason.Unstorable, ExceptionText.MessageOf(refused)));
}
