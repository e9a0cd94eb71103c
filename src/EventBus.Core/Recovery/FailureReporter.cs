using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Reports recorded failures: writes them to the log and the metrics, raises alerts, and wakes the retry loop.
/// </summary>
internal sealed class FailureReporter(AlertCoordinator alerts, WakeSignal retries, BusServices services)
{
    /// <summary>True if a dead letter must be marked for an alert.</summary>
    public bool WantsAlerts => alerts.IsWanted;

    /// <summary>Announces that a dead letter is about to be recorded.</summary>
    public void ExpectDeadLetter() => alerts.Expect();

    /// <summary>Called when an announced dead letter was recorded and reported, or could not be recorded.</summary>
    public void DeadLetterRecorded() => alerts.Reported();

    /// <summary>Reports an entry that is stored.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="isNew">False if nothing was written: the event was recorded before, or the claim was lost.</param>
    /// <param name="exception">The exception of the handler; null for none.</param>
    /// <param name="error">The error for the log, without text from the message.</param>
    public void Recorded(FailedEvent entry, bool isNew, Exception? exception, string? error)
    {
        if (!isNew)
        {
            services.Log.KeptAlready(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
        else if (entry.Status == FailedEventStatus.Dead)
        {
            services.Diagnostics.DeadLettered(entry.Envelope.Name, entry.Subscription, entry.Reason);
            services.Log.DeadLettered(
                entry.Subscription,
                entry.Envelope.Name,
                entry.Envelope.Id,
                entry.Envelope.Key,
                entry.Attempts,
                entry.ErrorType,
                entry.Reason,
                entry.Id,
                alerts.ShownBy(entry.Id, entry.Subscription),
                error,
                exception);
        }
        else
        {
            services.Diagnostics.WillRetry(entry.Envelope.Name, entry.Subscription);
            services.Log.WillRetry(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.Attempts, entry.DueAt, exception);
            retries.Pulse();
        }
    }

    /// <summary>Reports an event that waits because another attempt holds its claim.</summary>
    public void WaitsForClaim(FailedEvent entry)
    {
        services.Log.WaitsForClaim(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, entry.DueAt);
        retries.Pulse();
    }

    /// <summary>Reports an event that waits because its guard deferred it.</summary>
    public void Deferred(FailedEvent entry, DateTimeOffset deadline)
    {
        services.Log.Deferred(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, deadline);
        retries.Pulse();
    }
}
