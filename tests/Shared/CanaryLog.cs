using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>A log that keeps nothing and only searches each text for the password.</summary>
public sealed class CanaryLog : ILogger, ILoggerProvider
{
    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        var values = state as IEnumerable<KeyValuePair<string, object?>> ?? [];
        Canary.Check($"the log {eventId}", $"{formatter(state, exception)} {string.Join(' ', values)} {exception}");
    }

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void Dispose()
    {
    }
}
