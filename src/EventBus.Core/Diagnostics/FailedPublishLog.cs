using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Logs publishes that fail, so that a failure is seen although no caller awaits the publish.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class FailedPublishLog
{
    private const int MaxErrorLength = 500;

    /// <summary>
    /// Logs a failed publish, unless it is logged already. Of many failures of a kind, most are only counted
    /// (<see cref="FailedPublishes"/>).
    /// </summary>
    /// <param name="log">The logger.</param>
    /// <param name="eventName">The event name.</param>
    /// <param name="exception">The exception that the caller gets. It must not be a cancellation by the caller.</param>
    /// <param name="isRepeated">
    /// True if the bus itself publishes the event again, or reports that it cannot: the level is then Warning instead
    /// of Error.
    /// </param>
    public static void FailedPublish(this ILogger log, string eventName, Exception exception, bool isRepeated = false)
    {
        if (exception is PublishManyException many)
        {
            foreach (var item in many.Items.OfType<PublishException>())
            {
                log.FailedPublish(eventName, item, isRepeated);
            }

            return;
        }

        var publish = exception as PublishException;
        if (publish is { IsLogged: true })
        {
            return;
        }

        publish?.IsLogged = true;
        var failure = new FailedPublish(
            isRepeated ? LogLevel.Warning : LogLevel.Error,
            eventName,
            publish?.EventId ?? "without an id",
            publish?.Failure.ToString() ?? exception.GetType().Name,
            PrintableText.Start(ExceptionText.MessageOf(exception), MaxErrorLength),
            publish is null ? exception : publish.InnerException);
        if (log is PrintableLogger { FailedPublishes: var limit })
        {
            limit.Record(log, failure);
        }
        else
        {
            failure.WriteTo(log);
        }
    }

    /// <summary>
    /// Logs the counts of failed publishes that no entry has reported yet. From here on no timer logs any.
    /// </summary>
    public static void EndFailedPublishes(this ILogger log)
    {
        if (log is PrintableLogger { FailedPublishes: var limit })
        {
            limit.End(log);
        }
    }

    [LoggerMessage(
        EventId = 84,
        Message = "Publishing {EventName} {EventId} failed ({Failure}): {Error} Further failures of this kind are counted, and reported "
            + "at most every 10 s")]
    public static partial void PublishFailed(
        this ILogger log,
        LogLevel level,
        string eventName,
        string eventId,
        string failure,
        string error,
        Exception? cause);

    [LoggerMessage(
        EventId = 85,
        Message = "Publishing {EventName} failed {Count} times since the last entry ({Failure}). The last of these events is {EventId}: "
            + "{Error}")]
    public static partial void PublishesFailed(
        this ILogger log,
        LogLevel level,
        string eventName,
        long count,
        string failure,
        string eventId,
        string error,
        Exception? cause);
}
