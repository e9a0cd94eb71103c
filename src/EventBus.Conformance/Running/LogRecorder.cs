using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Records every log entry of one instance: the formatted text, the values and the exception.</summary>
internal sealed class LogRecorder : ILoggerFactory
{
    public Ledger<LogEntry> Entries { get; } = new();

    /// <summary>Returns the entries that are more severe than a level.</summary>
    public IEnumerable<LogEntry> Above(LogLevel level) => Entries.Items.Where(entry => entry.Level > level);

    public ILogger CreateLogger(string categoryName) => new Recorder(this, categoryName);

    public void AddProvider(ILoggerProvider provider)
    {
        // The recorder is the only provider.
    }

    public void Dispose()
    {
        // There is nothing to dispose.
    }

    private sealed class Recorder(LogRecorder owner, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            var values = state is IReadOnlyList<KeyValuePair<string, object?>> pairs
                ? string.Join(", ", pairs.Select(pair => $"{pair.Key}={pair.Value}"))
                : "";
            owner.Entries.Add(new LogEntry(logLevel, category, formatter(state, exception), $"{values} {exception}"));
        }
    }
}
