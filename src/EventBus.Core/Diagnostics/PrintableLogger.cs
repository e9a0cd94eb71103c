using System.Collections;
using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>
/// Passes log entries on with every text printable, in the message and in its values: no id, type or error that
/// somebody else chose begins a line of its own or acts on a terminal.
/// </summary>
/// <remarks>
/// An exception is passed on as it is where its texts are printable, so that log providers see its type; otherwise a
/// <see cref="PrintableException"/> stands for it, and its type is among the values. What the log provider throws is
/// dropped: the loops of the bus log where nothing may interrupt them.
/// </remarks>
internal sealed class PrintableLogger(ILogger inner, TimeProvider time) : ILogger
{
    private const string ExceptionType = "ExceptionType";

    /// <summary>What fails again and again.</summary>
    public Outage Outage { get; } = new(time);

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

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
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
                values = [new(ExceptionType, exception!.GetType().ToString()), .. values];
            }

            inner.Log(logLevel, eventId, new Entry(PrintableText.Of(formatter(state, shown)), values), shown, static (entry, _) => entry.Message);
        }
        catch (Exception)
        {
            // A log provider that fails must not end the work that is logged, and there is no other place to report it.
        }
    }

    /// <summary>A message and its values by name, as log providers expect them.</summary>
    private sealed class Entry(string message, IReadOnlyList<KeyValuePair<string, object?>> values) : IReadOnlyList<KeyValuePair<string, object?>>
    {
        public string Message => message;

        public int Count => values.Count;

        public KeyValuePair<string, object?> this[int index] => values[index] is { Value: string text } pair ? new(pair.Key, PrintableText.Of(text)) : values[index];

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
