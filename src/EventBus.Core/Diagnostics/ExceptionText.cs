using System.Text;
using System.Text.Json;

namespace EventBus;

/// <summary>
/// Returns the texts of exceptions for logs, traces, stores and other messages, printable and of limited length. No
/// other code reads the texts of an exception. Never throws.
/// </summary>
/// <remarks>
/// The members of an exception are code of the application: they may throw, return null, or return a text of any
/// length, of which only the allowed length is copied. The messages of the JSON serializer contain keys and values of
/// the data, so only the line and the position in it are used.
/// </remarks>
internal static class ExceptionText
{
    /// <summary>The maximum length of a message, in characters.</summary>
    public const int MaxMessage = 1_024;

    /// <summary>The maximum length of a description with stack traces, in characters.</summary>
    public const int MaxDetails = 8_192;

    // The maximum number of exceptions in a description; of chains and aggregates with more, the outermost are
    // described.
    private const int MaxExceptions = 16;

    // The maximum length of a text with stack traces that is passed to a log provider, in characters.
    private const int MaxPlainDetails = 64 * 1_024;

    private const string PathInMessage = " Path: $";

    /// <summary>Returns the first line of the message.</summary>
    public static string MessageOf(Exception exception) => PrintableText.Of(FirstLine(Message(exception)), MaxMessage);

    /// <summary>Returns the full name of the type, and the first line of the message.</summary>
    public static string Of(Exception exception) => PrintableText.Of($"{exception.GetType()}: {FirstLine(Message(exception))}", MaxMessage);

    /// <summary>Returns the short name of the type, and the first line of the message.</summary>
    public static string ShortOf(Exception exception) =>
        PrintableText.Of($"{exception.GetType().Name}: {FirstLine(Message(exception))}", MaxMessage);

    /// <summary>
    /// Returns the types, messages and stack traces of the exception and its inner exceptions, outermost first. A
    /// message is one line; all lines but the first are indented.
    /// </summary>
    public static string DetailsOf(Exception exception)
    {
        var text = new StringBuilder();
        foreach (var each in AllOf(exception))
        {
            text.Append(text.Length > 0 ? "\n ---> " : "").Append(PrintableText.Of($"{each.GetType()}: {Message(each)}", MaxMessage));
            AppendTrace(text, each);
            if (text.Length >= MaxDetails)
            {
                break;
            }
        }

        return PrintableText.Start(text.ToString(), MaxDetails);
    }

    /// <summary>Returns the stack trace, with every line indented; null if there is none.</summary>
    public static string? TraceOf(Exception exception)
    {
        var text = new StringBuilder();
        AppendTrace(text, exception);
        if (text.Length == 0)
        {
            return null;
        }

        // Without the line feed before the first line.
        return PrintableText.Start(text.ToString(1, text.Length - 1), MaxDetails);
    }

    /// <summary>
    /// Returns true if all texts of an exception that a log provider may write are printable and of limited length, and
    /// only the first line and the lines of stack traces begin a new line.
    /// </summary>
    public static bool IsPlain(Exception exception)
    {
        try
        {
            var chain = Chain(exception).Take(MaxExceptions + 1).ToList();

            // The members are checked first: the combined text is created only when they are known to be short.
            return chain.Count <= MaxExceptions
                && chain.TrueForAll(HasPlainMessage)
                && chain.TrueForAll(HasPlainTrace)
                && chain.TrueForAll(HasPlainOtherMembers)
                && HasPlainLines(exception.ToString());
        }
        catch (Exception)
        {
            return false;
        }
    }

    /// <summary>Returns the exception and its inner exceptions, up to the maximum number.</summary>
    public static IEnumerable<Exception> AllOf(Exception exception) => Chain(exception).Take(MaxExceptions);

    /// <summary>Returns the exception and its inner exceptions, each before its own inner exceptions.</summary>
    private static IEnumerable<Exception> Chain(Exception exception)
    {
        var pending = new Stack<Exception>([exception]);
        while (pending.TryPop(out var next))
        {
            yield return next;
            if (next is AggregateException aggregate)
            {
                // Pushed in reverse order, so that the first inner exception is the next one on the stack.
                foreach (var inner in aggregate.InnerExceptions.Take(MaxExceptions + 1).Reverse())
                {
                    pending.Push(inner);
                }
            }
            else if (next.InnerException is { } single)
            {
                pending.Push(single);
            }
        }
    }

    /// <summary>
    /// Returns the beginning of the message without JSON content. It may have several lines and unprintable characters.
    /// </summary>
    private static string Message(Exception exception)
    {
        switch (exception)
        {
            case JsonException json:
                return json is { LineNumber: { } line, BytePositionInLine: { } position }
                    ? $"at line {line + 1}, byte {position + 1}"
                    : "JSON that cannot be read or written";

            case AggregateException:
                // The message of the aggregate itself consists of all messages in it.
                return AllOf(exception).FirstOrDefault(each => each is not AggregateException) is { } first
                    ? $"One or more errors occurred. ({Message(first)})"
                    : "One or more errors occurred.";

            default:
                try
                {
                    return exception.Message is { } message
                        ? WithoutPath(PrintableText.Start(message, MaxMessage))
                        : "(its message is null)";
                }
                catch (Exception problem)
                {
                    return $"(its message cannot be read: {problem.GetType()})";
                }
        }
    }

    /// <summary>
    /// Removes the JSON path at the end of a serializer message, because it contains keys of the data.
    /// </summary>
    private static string WithoutPath(string message)
    {
        var path = message.IndexOf(PathInMessage, StringComparison.Ordinal);
        return path >= 0 ? message[..path] : message;
    }

    private static string FirstLine(string text)
    {
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return end >= 0 ? text[..end] : text;
    }

    private static void AppendTrace(StringBuilder text, Exception exception)
    {
        string? trace;
        try
        {
            trace = exception.StackTrace;
        }
        catch (Exception problem)
        {
            trace = $"(its stack trace cannot be read: {problem.GetType()})";
        }

        foreach (var line in PrintableText.Start(trace ?? "", MaxDetails).AsSpan().EnumerateLines())
        {
            if (line.Trim() is { Length: > 0 } frame)
            {
                text.Append("\n   ").Append(PrintableText.Of(frame.ToString()));
            }
        }
    }

    private static bool HasPlainMessage(Exception exception) => exception is AggregateException
        || (exception is not JsonException
            && exception.Message is { Length: <= MaxMessage } message
            && PrintableText.IsPrintable(message)
            && !message.Contains(PathInMessage, StringComparison.Ordinal));

    private static bool HasPlainTrace(Exception exception) =>
        exception.StackTrace is not { } trace || (trace.Length <= MaxPlainDetails && HasPlainLines($"\n{trace}"));

    /// <summary>
    /// Checks other members that some log providers write. The entries of the data are separate log values, so it is
    /// enough that the data can be read.
    /// </summary>
    private static bool HasPlainOtherMembers(Exception exception) =>
        (exception.Source is not { } from || (from.Length <= MaxMessage && PrintableText.IsPrintable(from)))
            && (exception.HelpLink is not { } link || (link.Length <= MaxMessage && PrintableText.IsPrintable(link)))
            && exception.Data is { Count: >= 0 };

    /// <summary>
    /// Returns true if all lines of a text are printable, and all lines but the first are those of a stack trace.
    /// </summary>
    private static bool HasPlainLines(string? text)
    {
        if (text is null or { Length: > MaxPlainDetails })
        {
            return false;
        }

        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range].TrimEnd('\r');

            // Lines of a stack trace are indented, except "--- End of ...", which the runtime adds where an exception
            // was rethrown.
            var isAllowed = range.Start.Value == 0
                || line.IsEmpty
                || line[0] == ' '
                || line.StartsWith("--- End of ", StringComparison.Ordinal);
            if (!isAllowed || !PrintableText.IsPrintable(line))
            {
                return false;
            }
        }

        return true;
    }
}
