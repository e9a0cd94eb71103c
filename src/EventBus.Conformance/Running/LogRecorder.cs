using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Keeps every log entry of one application, as the text that a person would read, with its state and its exception.</summary>
internal sealed class LogRecorder : ILoggerFactory
{
    public Ledger<LogEntry> Entries { get; } = new();

    public IEnumerable<LogEntry> Above(LogLevel level) => Entries.Items.Where(entry => entry.Level > level);

    public ILogger CreateLogger(string categoryName) => new Recorder(this, categoryName);

    public void AddProvider(ILoggerProvider provider)
    {
        // Nothing is passed on.
    }

    public void Dispose()
    {
        // Nothing is held.
    }

    private sealed class Recorder(LogRecorder owner, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var values = state is IReadOnlyList<KeyValuePair<string, object?>> pairs ? string.Join(", ", pairs.Select(pair => $"{pair.Key}={pair.Value}")) : "";
            owner.Entries.Add(new LogEntry(logLevel, category, formatter(state, exception), $"{values} {exception}"));
        }
    }
}
