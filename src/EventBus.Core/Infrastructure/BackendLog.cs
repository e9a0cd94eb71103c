using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Transports;

/// <summary>Creates the loggers of the bus and its backends, and limits the log entries of repeated failures.</summary>
public static class BackendLog
{
    /// <summary>
    /// Creates a logger whose entries are printable. Control characters, line separators and invisible characters in
    /// messages and values are written as codes such as <c>\u000A</c>, so that foreign text cannot begin a new log
    /// line. An exception whose text contains such characters, is very long or reveals JSON content is replaced by
    /// another exception; the value <c>ExceptionType</c> holds the original type.
    /// </summary>
    /// <param name="factory">Creates the logger that writes the entries; null for no logging.</param>
    /// <param name="category">The logger's name, for instance <c>EventBus.Redis</c>.</param>
    /// <param name="time">
    /// The clock that times the entries of an outage (<see cref="Failing"/>). Default:
    /// <see cref="TimeProvider.System"/>.
    /// </param>
    public static ILogger Create(ILoggerFactory? factory, string category, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(category);
        return factory is null ? NullLogger.Instance : new PrintableLogger(factory.CreateLogger(category), time ?? TimeProvider.System);
    }

    /// <summary>
    /// Logs a failure of an operation that is retried until it succeeds. The first failure of each cause is logged in
    /// full. Later failures are counted, and one entry per minute reports the count.
    /// </summary>
    /// <remarks>
    /// A cause is the activity together with the exception type. At most ten causes per minute are logged in full, over
    /// all activities. The outage of an activity ends when the activity succeeds (<see cref="Working"/>) or has not
    /// failed for ten minutes, regardless of other activities. A new outage that begins within a minute counts as part
    /// of the previous one. With a logger that <see cref="Create"/> did not create, every failure is logged in full.
    /// The entry about a server or a file that fails is one line with the cause; its exception, with the stack trace,
    /// is a further entry at the level Debug.
    /// </remarks>
    /// <param name="log">The logger.</param>
    /// <param name="activity">
    /// The failed activity, for instance <c>reading for mail</c>. Use the same text each time, and only a small number
    /// of texts.
    /// </param>
    /// <param name="exception">The cause.</param>
    /// <param name="inFull">Logs the failure in full.</param>
    /// <returns>True if the failure was logged in full.</returns>
    public static bool Failing(this ILogger log, string activity, Exception exception, Action<ILogger> inFull)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(activity);
        ArgumentNullException.ThrowIfNull(exception);
        ArgumentNullException.ThrowIfNull(inFull);
        if (log is PrintableLogger { Outage: var outage } && !outage.RecordFailure(log, activity, exception))
        {
            return false;
        }

        inFull(new OutageEntryLogger(log, activity));
        return true;
    }

    /// <summary>
    /// Reports the success of an activity that may have failed before. This ends its outage. If the failure was logged
    /// in full, an entry reports the end. Costs nothing while no outage is in progress.
    /// </summary>
    /// <param name="log">The logger.</param>
    /// <param name="activity">The activity that succeeded, with the same text as in <see cref="Failing"/>.</param>
    public static void Working(this ILogger log, string activity)
    {
        if (log is PrintableLogger { Outage: { IsOver: false } outage })
        {
            outage.End(log, activity);
        }
    }
}
