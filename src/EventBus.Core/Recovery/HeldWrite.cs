using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Represents a write that is held. Closes the gate of the bus, that of the subscription, or none, depending on the
/// latest failure of the write. Logs the failures.
/// </summary>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="bus">The gate of the bus.</param>
/// <param name="subscription">The gate of the subscription.</param>
/// <param name="log">The log.</param>
internal sealed class HeldWrite(WriteSubject subject, IntakeGate bus, IntakeGate subscription, ILogger log)
{
    // The activity that the log reports as failing while the store accepts no writes. All writes share it.
    private const string StoreActivity = "writing to the store";

    // The gate that this write holds closed, and the reason for which; null for none.
    private IntakeGate? closedGate;
    private string reason = "";

    // The activity that the log reports as failing while only this entry or its subscription is affected; null for
    // none.
    private string? entryActivity;

    private IntakeGate? SubscriptionGate => subject.IsDelivery ? subscription : null;

    /// <summary>
    /// Closes the gate of the bus until it is known what the first failure concerns, or that of the subscription if the
    /// failure itself says that it does not concern the whole store.
    /// </summary>
    public void BlockUntilProbed(Exception error) =>
        CloseOnly(error is StoreRefusedException { Scope: not StoreScope.Store } ? SubscriptionGate : bus, ExceptionText.MessageOf(error));

    /// <summary>Closes the gate of what the failure concerns, and logs the failure.</summary>
    public void Block(Exception error, StoreScope scope, int attempt, TimeSpan backoff)
    {
        switch (scope)
        {
            case StoreScope.Store:
                log.Failing(StoreActivity, error, logger => logger.StoreDown(attempt, backoff, error));
                CloseOnly(bus, ExceptionText.MessageOf(error));
                break;
            case StoreScope.Subscription:
                var roomActivity = $"room for {subject.Subscription}";
                SetEntryActivity(roomActivity);
                log.Failing(roomActivity, error, logger => logger.NoRoom(subject.Subscription, attempt, backoff, error));
                CloseOnly(SubscriptionGate, ExceptionText.MessageOf(error));
                break;
            default:
                var storingActivity = $"storing an event of {subject.Subscription}";
                SetEntryActivity(storingActivity);
                log.Failing(
                    storingActivity,
                    error,
                    logger => logger.EntryHeld(subject.Subscription, subject.EventName, subject.EventId, attempt, backoff, error));
                CloseOnly(SubscriptionGate, $"The store does not accept the entry of {subject.EventName} {subject.EventId}.");
                break;
        }
    }

    /// <summary>Opens the gate again, because the write has ended.</summary>
    public void End()
    {
        closedGate?.Open(reason);
        SetEntryActivity(null);

        // While another write holds the gate of the bus closed, the store still fails.
        if (!bus.IsClosed)
        {
            log.Working(StoreActivity);
        }
    }

    /// <summary>Sets the activity that is reported as failing, and reports the previous one as working.</summary>
    private void SetEntryActivity(string? next)
    {
        if (entryActivity is not null && entryActivity != next)
        {
            log.Working(entryActivity);
        }

        entryActivity = next;
    }

    private void CloseOnly(IntakeGate? gate, string newReason)
    {
        // Closes the new gate before it opens the old one: otherwise a delivery could begin in between.
        gate?.Close(newReason);
        closedGate?.Open(reason);
        closedGate = gate;
        reason = newReason;
    }
}
