using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Represents a write that is held. It blocks the bus, its subscription or nothing else, depending on its latest
/// failure.
/// </summary>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="bus">The gate of the bus.</param>
/// <param name="subscription">The gate of the subscription.</param>
/// <param name="log">The log.</param>
internal sealed class HeldWrite(WriteSubject subject, IntakeGate bus, IntakeGate subscription, ILogger log)
{
    private const string Activity = "writing to the store";

    private IntakeGate? hold;
    private string reason = "";

    // The activity of the entry or its subscription that is logged as failing.
    private string? activity;

    private IntakeGate? Narrow => subject.IsDelivery ? subscription : null;

    /// <summary>Blocks all subscriptions until it is known what the failure concerns.</summary>
    public void Until(Exception error) =>
        Move(error is StoreRefusedException { Scope: not StoreScope.Store } ? Narrow : bus, ExceptionText.MessageOf(error));

    /// <summary>Blocks and logs what the failure concerns.</summary>
    public void Because(Exception error, StoreScope scope, int attempt, TimeSpan backoff)
    {
        switch (scope)
        {
            case StoreScope.Store:
                log.Failing(Activity, error, logger => logger.StoreDown(attempt, backoff, error));
                Move(bus, ExceptionText.MessageOf(error));
                break;
            case StoreScope.Subscription:
                log.Failing(
                    Own($"room for {subject.Subscription}"),
                    error,
                    logger => logger.NoRoom(subject.Subscription, attempt, backoff, error));
                Move(Narrow, ExceptionText.MessageOf(error));
                break;
            default:
                log.Failing(
                    Own($"keeping an event of {subject.Subscription}"),
                    error,
                    logger => logger.EntryHeld(subject.Subscription, subject.EventName, subject.EventId, attempt, backoff, error));
                Move(Narrow, $"The store does not take {subject.EventName} {subject.EventId}.");
                break;
        }
    }

    /// <summary>Opens the gate again, because the write has ended.</summary>
    public void End()
    {
        hold?.Open(reason);
        Own(null);
        if (!bus.IsClosed)
        {
            log.Working(Activity);
        }
    }

    private string Own(string? next)
    {
        if (activity is not null && activity != next)
        {
            log.Working(activity);
        }

        activity = next;
        return next ?? "";
    }

    private void Move(IntakeGate? next, string why)
    {
        // Closes the next gate before it opens the last one: otherwise a delivery could begin in between.
        next?.Close(why);
        hold?.Open(reason);
        (hold, reason) = (next, why);
    }
}
