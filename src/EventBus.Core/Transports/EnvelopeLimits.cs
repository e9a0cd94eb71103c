using System.Buffers;
using System.Security.Cryptography;
using System.Text;

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
    public const int MaxHeaders = 64;

    /// <summary>The maximum size of all names and values of the user's headers together, as UTF-8.</summary>
    public const int MaxHeaderBytes = 64 * 1024;

    private const int TraceParentLength = 55;

    // One UTF-16 character needs at most three bytes of UTF-8.
    private const int MaxBytesPerChar = 3;

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
            TraceParent = IsTraceParent(given.TraceParent) ? given.TraceParent : null,
            TraceState = given.TraceState is { Length: <= MaxTraceState } state && IndexOfForbidden(state) >= 0 ? null : given.TraceState,
        };
        var problem = ProblemOf(fitted, out var kept);
        return problem is null && given.Defect is null
            ? fitted
            : fitted with
            {
                Id = Problem(CloudEventAttributes.Id, given.Id, MaxText) is null ? given.Id : Digest(given.Id),
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
                Headers = kept,
                Defect = PrintableText.Of(given.Defect ?? problem!),
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

        var at = IndexOfForbidden(text);
        return at < 0
            ? null
            : $"The attribute '{attribute}' has {text.Length:N0} characters, and the one at {at:N0} is not allowed: "
                + $"U+{(int)text[at]:X4}, a control character, a line separator or half a character.";
    }

    /// <summary>Returns the index of the first character that is not allowed in an attribute; -1 for none.</summary>
    public static int IndexOfForbidden(ReadOnlySpan<char> text)
    {
        var forbidden = text.IndexOfAny(Forbidden);
        for (var i = text.IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return forbidden >= 0 && forbidden < i ? forbidden : i;
            }
        }

        return forbidden;
    }

    private static string? ProblemOf(in EnvelopeAttributes given, out IReadOnlyDictionary<string, string>? kept)
    {
        kept = given.Headers;
        var headers = HeaderProblem(given.Headers, ref kept);
        return Problem(CloudEventAttributes.Id, given.Id, MaxText)
            ?? Problem(CloudEventAttributes.Type, given.Name, EventNameRules.MaxLength)
            ?? Problem(CloudEventAttributes.PartitionKey, given.Key, MaxText)
            ?? Problem(CloudEventAttributes.CorrelationId, given.CorrelationId, MaxText)
            ?? Problem(CloudEventAttributes.CausationId, given.CausationId, MaxText)
            ?? Problem(CloudEventAttributes.Source, given.Source, MaxText)
            ?? Problem(CloudEventAttributes.DataContentType, given.ContentType, MaxContentType)
            ?? Problem(CloudEventAttributes.TraceState, given.TraceState, MaxTraceState)
            ?? headers;
    }

    private static string? HeaderProblem(IReadOnlyDictionary<string, string>? headers, ref IReadOnlyDictionary<string, string>? kept)
    {
        if (headers is null or { Count: 0 })
        {
            return null;
        }

        var characters = 0L;
        foreach (var (name, value) in headers)
        {
            characters += name.Length + value.Length;
        }

        if (headers.Count <= MaxHeaders && characters <= MaxHeaderBytes / MaxBytesPerChar)
        {
            return null;
        }

        var (bytes, fitting) = (0L, new Dictionary<string, string>(StringComparer.Ordinal));
        foreach (var (name, value) in headers)
        {
            bytes += Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
            if (bytes <= MaxHeaderBytes && fitting.Count < MaxHeaders)
            {
                fitting.Add(name, value);
            }
        }

        if (headers.Count <= MaxHeaders && bytes <= MaxHeaderBytes)
        {
            return null;
        }

        kept = fitting;
        return headers.Count > MaxHeaders
            ? $"The event has {headers.Count:N0} headers; at most {MaxHeaders} are read."
            : $"The headers have {bytes:N0} bytes as UTF-8, names and values together; at most {MaxHeaderBytes:N0} are read.";
    }

    /// <summary>
    /// Checks the format of a traceparent of W3C Trace Context. An invalid value is ignored, as the standard requires,
    /// and a new trace begins.
    /// </summary>
    private static bool IsTraceParent(string? text)
    {
        if (text is not { Length: TraceParentLength }
            || text[2] != '-'
            || text[35] != '-'
            || text[52] != '-'
            || text.StartsWith("ff", StringComparison.Ordinal))
        {
            return false;
        }

        return IsHex(text.AsSpan(0, 2)) && IsHex(text.AsSpan(3, 32)) && IsHex(text.AsSpan(36, 16)) && IsHex(text.AsSpan(53, 2))
            && text.AsSpan(3, 32).ContainsAnyExcept('0') && text.AsSpan(36, 16).ContainsAnyExcept('0');

        static bool IsHex(ReadOnlySpan<char> digits)
        {
            foreach (var c in digits)
            {
                if (!char.IsAsciiHexDigitLower(c))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>
    /// Returns a hash that replaces an id that is too long or invalid. Different ids stay different, and copies of an
    /// event keep the same id.
    /// </summary>
    private static string Digest(string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];

        // The UTF-16 characters are hashed directly: UTF-8 would map all unpaired surrogates to one character.
        SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(id.AsSpan()), hash);
        return $"sha256-{Convert.ToHexStringLower(hash)}";
    }
}
