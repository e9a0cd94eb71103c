using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Transports;

/// <summary>The loggers of the bus and its backends: the texts in their entries are printable.</summary>
public static class BackendLog
{
    /// <summary>Makes a logger. Control characters, line separators and invisible characters in its messages and their values are written as codes such as <c>\u000A</c>, so that no text that somebody else chose begins a line of its own. So are the texts of an exception that holds such characters, is very long or tells of the content of JSON: another exception stands for it, with its type as the value <c>ExceptionType</c>.</summary>
    /// <param name="factory">Makes the logger that writes; null for none.</param>
    /// <param name="category">The logger's name, for instance <c>EventBus.Redis</c>.</param>
    public static ILogger Create(ILoggerFactory? factory, string category)
    {
        ArgumentNullException.ThrowIfNull(category);
        return factory is null ? NullLogger.Instance : new PrintableLogger(factory.CreateLogger(category));
    }
}
