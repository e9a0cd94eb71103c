using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>Appends the log of a process to a file, for the analysis of a failed proof.</summary>
internal sealed class FileLog(string path, LogLevel least) : ILoggerProvider, ILogger
{
    private readonly Lock gate = new();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel) || exception is PlannedException)
        {
            return;
        }

        lock (gate)
        {
            File.AppendAllText(path, $"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel} "
                + $"{formatter(state, exception)}{(exception is null ? "" : Environment.NewLine + exception)}{Environment.NewLine}");
        }
    }

    public void Dispose()
    {
    }
}
