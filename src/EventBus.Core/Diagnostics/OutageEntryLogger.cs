using System.Data.Common;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Forwards the entries about an activity that fails. If its server or file fails, the entry is one line with the cause
/// and without a stack trace, and the exception follows at the level Debug. The exceptions of other failures, which may
/// be mistakes in the program, stay in their entry.
/// </summary>
internal sealed class OutageEntryLogger(ILogger log, string activity) : ILogger
{
    private const int MaxCauseLength = 300;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => log.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel) => log.IsEnabled(logLevel);

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (exception is null || !IsOfSystem(exception))
        {
            log.Log(logLevel, eventId, state, exception, formatter);
            return;
        }

        log.Log(logLevel, eventId, state, null, (values, _) => WithCause(formatter(values, null), exception));
        log.FailureInFull(activity, exception);
    }

    /// <summary>
    /// Returns true if an exception comes from a connection, a file or a client library: not from the base library,
    /// where most exceptions report a mistake in the program.
    /// </summary>
    private static bool IsOfSystem(Exception exception) =>
        exception is IOException or TimeoutException or SocketException or DbException or ObjectDisposedException
            || exception.GetType().Namespace is not { } name
            || (name != "System" && !name.StartsWith("System.", StringComparison.Ordinal));

    /// <summary>Adds what the message does not say yet: the error, and the innermost reason for it.</summary>
    private static string WithCause(string message, Exception exception)
    {
        foreach (var cause in new[] { exception, ExceptionChain.Of(exception).Last() })
        {
            var text = PrintableText.Start(ExceptionText.MessageOf(cause), MaxCauseLength).TrimEnd('.');
            message = message.Contains(text, StringComparison.Ordinal) ? message : $"{message.TrimEnd('.')}: {text}";
        }

        return message;
    }
}
