using EventBus.Stores;

namespace EventBus;

/// <summary>The event cannot be handled in this application; the handler was not called.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure
{
    /// <summary>
    /// Creates the failure of an event for which the store cannot carry out a step, while it can for others.
    /// </summary>
    public static Rejected Unstorable(StoreRefusedException refused) =>
        new(new Rejection(DeadLetterReason.Unstorable, ExceptionText.MessageOf(refused)));
}
