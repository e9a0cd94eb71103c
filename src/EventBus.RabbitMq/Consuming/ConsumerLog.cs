using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Writes the log entries about the consumer of one subscription. Remembers an unreadable message for a while, for the
/// health check.
/// </summary>
internal sealed class ConsumerLog(string subscription, string queue, ILogger log, TimeProvider time)
{
    // The time for which a message that closed the connection is reported. If the message is still in the queue, it is
    // redelivered within seconds.
    private static readonly TimeSpan UnreadableReportTime = TimeSpan.FromSeconds(30);

    private UnreadableReport? lastUnreadable;
    private int isComputedIdLogged;

    /// <summary>
    /// The description of an unreadable message that closed the connection recently; null if there was none.
    /// </summary>
    public string? UnreadableMessage
    {
        get
        {
            var last = Volatile.Read(ref lastUnreadable);
            return last is not null && time.GetElapsedTime(last.ReportedAt) < UnreadableReportTime
                ? $"a message in the queue '{queue}', or in another queue that is consumed over the same connection, cannot be read by the "
                    + $"client and closes the connection at each delivery: {last.Cause}"
                : null;
        }
    }

    /// <summary>Logs the loss of a channel, or the unreadable message that caused it.</summary>
    /// <param name="logger">The logger of the supervisor, which calls this method.</param>
    /// <param name="delay">The time until the next attempt.</param>
    /// <param name="error">The reason for the loss.</param>
    public void LogFailure(ILogger logger, TimeSpan delay, Exception error)
    {
        var cause = RabbitMqErrors.CauseOf(error)!;
        if (RabbitMqErrors.IsUnreadable(error))
        {
            Volatile.Write(ref lastUnreadable, new UnreadableReport(time.GetTimestamp(), cause));
            logger.UnreadableMessage(queue, delay, cause, error);
            return;
        }

        logger.ChannelLost(subscription, delay, cause, error);
    }

    /// <summary>Logs the first event whose id the bus computes; later ones are not logged.</summary>
    public void LogComputedId(string eventName)
    {
        if (Interlocked.Exchange(ref isComputedIdLogged, 1) == 0)
        {
            log.IdComputedFromContent(subscription, eventName);
        }
    }

    private sealed record UnreadableReport(long ReportedAt, string Cause);
}
