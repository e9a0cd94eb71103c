using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Transports;

/// <summary>The loggers of the bus and its backends: the texts in their entries are printable, and an outage does not fill them.</summary>
public static class BackendLog
{
    /// <summary>Makes a logger. Control characters, line separators and invisible characters in its messages and their values are written as codes such as <c>\u000A</c>, so that no text that somebody else chose begins a line of its own. So are the texts of an exception that holds such characters, is very long or tells of the content of JSON: another exception stands for it, with its type as the value <c>ExceptionType</c>.</summary>
    /// <param name="factory">Makes the logger that writes; null for none.</param>
    /// <param name="category">The logger's name, for instance <c>EventBus.Redis</c>.</param>
    /// <param name="time">Times the lines of an outage (<see cref="Failing"/>). Default: <see cref="TimeProvider.System"/>.</param>
    public static ILogger Create(ILoggerFactory? factory, string category, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(category);
        return factory is null ? NullLogger.Instance : new PrintableLogger(factory.CreateLogger(category), time ?? TimeProvider.System);
    }

    /// <summary>Logs a failure of what is tried again until it succeeds. The first of each cause is logged in full; later ones are counted, and one line a minute says how many.</summary>
    /// <remarks>
    /// A cause is an activity and the type of its exception. Of all activities together at most ten causes a minute are logged in full. The outage of an activity ends when it works again (<see cref="Working"/>) or
    /// has not failed for ten minutes, whatever else fails. One that follows within a minute belongs to it. With a logger that <see cref="Create"/> did not make, every failure is logged in full.
    /// </remarks>
    /// <param name="log">The logger.</param>
    /// <param name="activity">What failed, for instance <c>reading for mail</c>: the same text each time, and one of few.</param>
    /// <param name="exception">Why.</param>
    /// <param name="inFull">Logs it in full.</param>
    /// <returns>Whether it was logged in full.</returns>
    public static bool Failing(this ILogger log, string activity, Exception exception, Action<ILogger> inFull)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(activity);
        ArgumentNullException.ThrowIfNull(exception);
        ArgumentNullException.ThrowIfNull(inFull);
        if (log is PrintableLogger { Outage: var outage } && !outage.IsNew(log, activity, exception))
        {
            return false;
        }

        inFull(log);
        return true;
    }

    /// <summary>An activity that may have failed before has succeeded. That ends its outage, and one line says so if its failure was logged in full. Costs nothing while nothing fails.</summary>
    /// <param name="log">The logger.</param>
    /// <param name="activity">What succeeded, as it was named when it failed.</param>
    public static void Working(this ILogger log, string activity)
    {
        if (log is PrintableLogger { Outage: { IsOver: false } outage })
        {
            outage.End(log, activity);
        }
    }
}
