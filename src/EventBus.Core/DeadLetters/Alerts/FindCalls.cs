using System.Globalization;
using System.Text;

namespace EventBus;

/// <summary>
/// Writes the call that shows an operator the subject of an alert, as C#. The call is one printable line, and can be
/// copied into a program.
/// </summary>
internal static class FindCalls
{
    /// <summary>The call for dead letters in a queue, which cannot find one by its id.</summary>
    public const string OfQueue = "deadLetters.ListAsync()";

    // The longest literal. An id beyond it is not shortened, because the call would find nothing.
    private const int MaxLiteral = 300;

    /// <summary>
    /// Returns the call for a dead letter; for one with a very long id, the call for the latest dead letters.
    /// </summary>
    public static string OfDeadLetter(string id, string subscription) => Literal(id) is { Length: <= MaxLiteral } literal
        ? $"deadLetters.FindAsync({literal})"
        : $"deadLetters.ListAsync(new DeadLetterFilter {{ Subscription = {Literal(PrintableText.Start(subscription, 100))} }})";

    /// <summary>Returns the call for a saga; for one with a very long id, the call for the latest sagas.</summary>
    public static string OfSaga(string id) => Literal(id) is { Length: <= MaxLiteral } literal
        ? $"sagas.FindAsync({literal})"
        : "manager.ListAsync(new SagaFilter { Status = SagaStatus.NeedsAttention })";

    /// <summary>Returns the text as a string literal of C#, in one printable line.</summary>
    public static string Literal(string text)
    {
        var literal = new StringBuilder(text.Length + 2).Append('"');
        var i = 0;
        while (i < text.Length)
        {
            var length = char.IsSurrogatePair(text, i) ? 2 : 1;
            var isEscaped = text[i] is '"' or '\\' || !PrintableText.IsPrintable(text.AsSpan(i, length));
            for (var j = i; j < i + length; j++)
            {
                _ = isEscaped ? literal.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[j]:X4}") : literal.Append(text[j]);
            }

            i += length;
        }

        return literal.Append('"').ToString();
    }
}
