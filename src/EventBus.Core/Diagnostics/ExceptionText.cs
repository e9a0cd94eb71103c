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

    /// <summary>The maximum length of the name of a type, in characters.</summary>
    public const int MaxType = 256;

    /// <summary>Returns the full name of the type.</summary>
    public static string TypeOf(Exception exception) => PrintableText.Of(exception.GetType().ToString(), MaxType);

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
        foreach (var each in ExceptionChain.Of(exception))
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
            var chain = ExceptionChain.All(exception).Take(ExceptionChain.MaxLength + 1).ToList();

            // The members are checked first: the combined text is created only when they are known to be short.
            return chain.Count <= ExceptionChain.MaxLength
                && chain.TrueForAll(HasPlainMessage)
                && chain.TrueForAll(HasPlainTrace)
                && chain.TrueForAll(HasPlainOtherMembers)
                && StackTraceLines.ArePlain(exception.ToString());
        }
        catch (Exception)
        {
            return false;
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
                return JsonErrorText.PositionOf(json);

            case AggregateException:
                // The message of the aggregate itself consists of all messages in it.
                return ExceptionChain.Of(exception).FirstOrDefault(each => each is not AggregateException) is { } first
                    ? $"One or more errors occurred. ({Message(first)})"
                    : "One or more errors occurred.";

            default:
                try
                {
                    return exception.Message is { } message
                        ? JsonErrorText.WithoutPath(PrintableText.Start(message, MaxMessage))
                        : "(its message is null)";
                }
                catch (Exception problem)
                {
                    return $"(its message cannot be read: {problem.GetType()})";
                }
        }
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

        StackTraceLines.Append(text, PrintableText.Start(trace ?? "", MaxDetails));
    }

    private static bool HasPlainMessage(Exception exception) => exception is AggregateException
        || (exception is not JsonException
            && exception.Message is { Length: <= MaxMessage } message
            && PrintableText.IsPrintable(message)
            && !JsonErrorText.HasPath(message));

    private static bool HasPlainTrace(Exception exception) =>
        exception.StackTrace is not { } trace || (trace.Length <= StackTraceLines.MaxPlainLength && StackTraceLines.ArePlain($"\n{trace}"));

    /// <summary>
    /// Checks other members that some log providers write. The entries of the data are separate log values, so it is
    /// enough that the data can be read.
    /// </summary>
    private static bool HasPlainOtherMembers(Exception exception) =>
        (exception.Source is not { } from || (from.Length <= MaxMessage && PrintableText.IsPrintable(from)))
            && (exception.HelpLink is not { } link || (link.Length <= MaxMessage && PrintableText.IsPrintable(link)))
            && exception.Data is { Count: >= 0 };
}
