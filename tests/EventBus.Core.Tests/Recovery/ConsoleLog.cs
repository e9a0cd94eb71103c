using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Writes the same text as the console logger: the message, then the exception, line by line. Also reads the values
/// that other log providers read.
/// </summary>
internal sealed class ConsoleLog : ILoggerProvider, ILogger
{
    private readonly List<string> lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (lines)
            {
                return [.. lines];
            }
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        var text = $"{formatter(state, exception)}\n{exception?.ToString().ReplaceLineEndings("\n")}\n"
            + $"{exception?.StackTrace?.ReplaceLineEndings("\n")}\n{exception?.Message}\n{exception?.InnerException?.Message}";
        lock (lines)
        {
            lines.AddRange(text.Split('\n'));
        }
    }

    public void Dispose()
    {
    }
}
