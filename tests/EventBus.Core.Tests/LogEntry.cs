using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Contains what a log provider receives with one entry.</summary>
/// <param name="Level">The level.</param>
/// <param name="Text">The message.</param>
/// <param name="Exception">The exception; null for none.</param>
/// <param name="Values">The values by name, as one text.</param>
internal sealed record LogEntry(LogLevel Level, string Text, Exception? Exception, string Values)
{
    /// <summary>The message, the values and the exception.</summary>
    public string Everything => $"{Text} {Values} {Exception}";

    /// <summary>
    /// The lines that the console logger writes: the message, then the exception. After them those of what other log
    /// providers read from an exception.
    /// </summary>
    public IEnumerable<string> Lines =>
        ($"{Text}\n{Exception?.ToString().ReplaceLineEndings("\n")}\n{Exception?.StackTrace?.ReplaceLineEndings("\n")}\n"
            + $"{Exception?.Message}\n{Exception?.InnerException?.Message}").Split('\n');

    public override string ToString() => $"{Level}: {Everything}";
}
