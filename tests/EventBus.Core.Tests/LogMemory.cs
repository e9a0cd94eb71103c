using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Records log entries.</summary>
internal sealed class LogMemory : ILoggerProvider, ILogger
{
    private readonly List<LogEntry> entries = [];

    public IReadOnlyList<LogEntry> Entries
    {
        get
        {
            lock (entries)
            {
                return [.. entries];
            }
        }
    }

    /// <summary>The lines that a console logger would have written.</summary>
    public IEnumerable<string> Lines => Entries.SelectMany(entry => entry.Lines);

    public IEnumerable<string> At(LogLevel level) => Entries.Where(entry => entry.Level == level).Select(entry => entry.Text);

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
        var values = string.Join(' ', state as IEnumerable<KeyValuePair<string, object?>> ?? []);
        lock (entries)
        {
            entries.Add(new LogEntry(logLevel, formatter(state, exception), exception, values));
        }
    }

    public void Dispose()
    {
    }
}
