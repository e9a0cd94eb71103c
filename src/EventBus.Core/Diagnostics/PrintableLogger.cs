using System.Collections;
using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Forwards log entries with printable messages and values, so that no foreign id, type or error text can begin a new
/// line or control a terminal.
/// </summary>
/// <remarks>
/// An exception with printable texts is forwarded unchanged, so that log providers see its type. Otherwise it is
/// replaced by a <see cref="PrintableException"/>, and its type is added to the values. Exceptions of the log provider
/// are ignored, because the loops of the bus log where nothing may interrupt them.
/// </remarks>
internal sealed class PrintableLogger(ILogger inner, TimeProvider time) : ILogger
{
    private const string ExceptionTypeValue = "ExceptionType";

    /// <summary>The outages of the activities that are logged with this logger.</summary>
    public Outage Outage { get; } = new(time);

    /// <summary>The failed publishes that are logged with this logger.</summary>
    public FailedPublishes FailedPublishes { get; } = new(time);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return inner.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            return false;
        }
    }

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        ArgumentNullException.ThrowIfNull(formatter);
        try
        {
            if (!inner.IsEnabled(logLevel))
            {
                return;
            }

            var shown = exception is null || ExceptionText.IsPlain(exception) ? exception : new PrintableException(exception);
            var values = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
            if (shown != exception)
            {
                values = [new(ExceptionTypeValue, exception!.GetType().ToString()), .. values];
            }

            inner.Log(
                logLevel,
                eventId,
                new Entry(PrintableText.Of(formatter(state, shown)), values),
                shown,
                static (entry, _) => entry.Message);
        }
        catch (Exception)
        {
            // A failing log provider must not interrupt the work that is logged, and its failure cannot be reported
            // elsewhere.
        }
    }

    /// <summary>Represents a message and its values by name, in the form that log providers expect.</summary>
    private sealed class Entry(string message, IReadOnlyList<KeyValuePair<string, object?>> values)
        : IReadOnlyList<KeyValuePair<string, object?>>
    {
        public string Message => message;

        public int Count => values.Count;

        public KeyValuePair<string, object?> this[int index] =>
            values[index] is { Value: string text } pair ? new(pair.Key, PrintableText.Of(text)) : values[index];

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
        {
            for (var i = 0; i < values.Count; i++)
            {
                yield return this[i];
            }
        }

        public override string ToString() => message;

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
