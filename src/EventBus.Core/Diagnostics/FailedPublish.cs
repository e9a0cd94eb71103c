using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Describes a failed publish for the log.</summary>
/// <param name="Level">The level of its entries.</param>
/// <param name="EventName">The event name.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="Failure">The kind of failure.</param>
/// <param name="Error">The reason.</param>
/// <param name="Cause">The exception that caused the failure; null for none.</param>
internal sealed record FailedPublish(
    LogLevel Level,
    string EventName,
    string EventId,
    string Failure,
    string Error,
    Exception? Cause)
{
    // After an outage, the reason says enough: the entry has no stack trace, and the exception follows at Debug.
    private bool IsOutage => Cause is not null && Failure is (nameof(PublishFailure.Failed) or nameof(PublishFailure.InDoubt));

    /// <summary>Logs this failure in full.</summary>
    public void WriteTo(ILogger log)
    {
        log.PublishFailed(Level, EventName, EventId, Failure, Error, IsOutage ? null : Cause);
        WriteCause(log);
    }

    /// <summary>Logs a number of failures, of which this is the last.</summary>
    public void WriteTo(ILogger log, long count)
    {
        log.PublishesFailed(Level, EventName, count, Failure, EventId, Error, IsOutage ? null : Cause);
        WriteCause(log);
    }

    private void WriteCause(ILogger log)
    {
        if (IsOutage)
        {
            log.FailureInFull($"publishing {EventName}", Cause!);
        }
    }
}
