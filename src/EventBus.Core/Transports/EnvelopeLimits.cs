using System.Buffers;

namespace EventBus.Transports;

/// <summary>
/// Defines the limits of the attributes that a publisher sets. They apply to every received event, whatever the
/// transport, and to every publish.
/// </summary>
/// <remarks>
/// Lengths are in UTF-16 characters. The allowed characters are those of a CloudEvents string, except line separators.
/// </remarks>
internal static class EnvelopeLimits
{
    /// <summary>The maximum length of the id, correlation id, causation id, key and source.</summary>
    public const int MaxText = 1_024;

    public const int MaxTraceState = 512;
    public const int MaxContentType = 255;

    private static readonly SearchValues<char> Forbidden = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20)
            .Concat(Enumerable.Range(0x7F, 0x21))
            .Concat(Enumerable.Range(0xFDD0, 0x20))
            .Concat([0x2028, 0x2029, 0xFFFE, 0xFFFF])
            .Select(code => (char)code)]);

    /// <summary>
    /// Returns the attributes within the limits. Attributes that exceed a limit are truncated, and the defect names the
    /// first of them and its length.
    /// </summary>
    public static EnvelopeAttributes Fit(in EnvelopeAttributes given)
    {
        ArgumentNullException.ThrowIfNull(given.Id);
        ArgumentNullException.ThrowIfNull(given.Name);

        // Invalid trace attributes are ignored, as W3C Trace Context requires. They do not make the event defective,
        // except a tracestate that is too long.
        var fitted = given with
        {
            TraceParent = given.TraceParent is { } parent && TraceParentFormat.IsValid(parent) ? parent : null,
            TraceState = given.TraceState is { Length: <= MaxTraceState } state && IndexOfForbidden(state) >= 0 ? null : given.TraceState,
        };
        string? headerProblem = null;
        var headers = given.Headers is { Count: > 0 } userHeaders ? HeaderLimits.Fit(userHeaders, out headerProblem) : given.Headers;
        var defect = given.Defect ?? ProblemOf(fitted) ?? headerProblem;
        if (defect is null)
        {
            return fitted;
        }

        return fitted with
        {
            Id = Problem(CloudEventAttributes.Id, given.Id, MaxText) is null ? given.Id : IdDigest.Of(given.Id),
            Name = Problem(CloudEventAttributes.Type, given.Name, EventNameRules.MaxLength) is null
                ? given.Name
                : CloudEventAttributes.UnreadableType,

            // The key is dropped: a truncated key could equal the key of another event.
            Key = Problem(CloudEventAttributes.PartitionKey, given.Key, MaxText) is null ? given.Key : null,
            CorrelationId = PrintableText.Of(given.CorrelationId, MaxText),
            CausationId = PrintableText.Of(given.CausationId, MaxText),
            Source = PrintableText.Of(given.Source, MaxText),
            ContentType = PrintableText.Of(given.ContentType, MaxContentType),
            TraceState = PrintableText.Of(fitted.TraceState, MaxTraceState),
            Headers = headers,
            Defect = PrintableText.Of(defect),
        };
    }

    /// <summary>Describes what is wrong with the text of an attribute; null if it is valid or missing.</summary>
    /// <param name="attribute">The attribute's name.</param>
    /// <param name="text">The text.</param>
    /// <param name="max">The maximum length in characters.</param>
    public static string? Problem(string attribute, string? text, int max)
    {
        if (text is null)
        {
            return null;
        }

        if (text.Length > max)
        {
            return $"The attribute '{attribute}' has {text.Length:N0} characters; at most {max:N0} are read.";
        }

        var index = IndexOfForbidden(text);
        return index < 0
            ? null
            : $"The attribute '{attribute}' has {text.Length:N0} characters, and the one at index {index:N0} is not allowed: "
                + $"U+{(int)text[index]:X4}, a control character, a line separator or half a character.";
    }

    /// <summary>Returns the index of the first character that is not allowed in an attribute; -1 for none.</summary>
    public static int IndexOfForbidden(ReadOnlySpan<char> text)
    {
        var forbidden = text.IndexOfAny(Forbidden);
        var unpaired = IndexOfUnpairedSurrogate(text);
        if (forbidden < 0)
        {
            return unpaired;
        }

        return unpaired < 0 ? forbidden : Math.Min(forbidden, unpaired);
    }

    private static int IndexOfUnpairedSurrogate(ReadOnlySpan<char> text)
    {
        var i = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (i < 0)
        {
            return -1;
        }

        while (i < text.Length)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i += 2;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return i;
            }
            else
            {
                i++;
            }
        }

        return -1;
    }

    /// <summary>Describes the first problem of the attributes except headers; null if there is none.</summary>
    private static string? ProblemOf(in EnvelopeAttributes given) =>
        Problem(CloudEventAttributes.Id, given.Id, MaxText)
            ?? Problem(CloudEventAttributes.Type, given.Name, EventNameRules.MaxLength)
            ?? Problem(CloudEventAttributes.PartitionKey, given.Key, MaxText)
            ?? Problem(CloudEventAttributes.CorrelationId, given.CorrelationId, MaxText)
            ?? Problem(CloudEventAttributes.CausationId, given.CausationId, MaxText)
            ?? Problem(CloudEventAttributes.Source, given.Source, MaxText)
            ?? Problem(CloudEventAttributes.DataContentType, given.ContentType, MaxContentType)
            ?? Problem(CloudEventAttributes.TraceState, given.TraceState, MaxTraceState);
}
