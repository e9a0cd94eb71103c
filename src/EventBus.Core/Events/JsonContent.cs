using System.Text;
using System.Text.Unicode;

namespace EventBus;

/// <summary>Interprets the media type of a body: JSON or not, and the character set.</summary>
internal readonly ref struct JsonContent
{
    /// <summary>The media type of an event that this library writes.</summary>
    public const string MediaType = "application/json";

    // The byte order mark of UTF-8.
    private static ReadOnlySpan<byte> Utf8Mark => [0xEF, 0xBB, 0xBF];

    private readonly ReadOnlySpan<char> charset;

    private JsonContent(bool isJson, ReadOnlySpan<char> charset)
    {
        IsJson = isJson;
        this.charset = charset;
    }

    public bool IsJson { get; }

    /// <summary>Parses a media type.</summary>
    /// <param name="contentType">The media type with its parameters, in any case.</param>
    public static JsonContent Of(string contentType)
    {
        if (ReferenceEquals(contentType, MediaType))
        {
            return new JsonContent(true, default);
        }

        var semicolon = contentType.IndexOf(';', StringComparison.Ordinal);
        var mediaType = contentType.AsSpan(0, semicolon < 0 ? contentType.Length : semicolon).Trim();
        var isJson = mediaType.Equals(MediaType, StringComparison.OrdinalIgnoreCase)
            || mediaType.Equals("text/json", StringComparison.OrdinalIgnoreCase)
            || mediaType.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
        return new JsonContent(isJson, semicolon < 0 ? default : CharsetOf(contentType.AsSpan(semicolon + 1)));
    }

    /// <summary>
    /// Returns the body as UTF-8 without a byte order mark. A byte order mark has priority over the media type. With an
    /// unknown character set, a body that is valid UTF-8 is taken as UTF-8.
    /// </summary>
    /// <exception cref="ArgumentException">The character set is unknown, or the body is not valid in it.</exception>
    /// <exception cref="NotSupportedException">The platform does not support the character set.</exception>
    public ReadOnlyMemory<byte> ToUtf8(ReadOnlyMemory<byte> body)
    {
        if (body.Span.StartsWith(Utf8Mark))
        {
            return body[Utf8Mark.Length..];
        }

        var encoding = EncodingOfMark(body.Span) ?? EncodingOfMediaType(body.Span);
        if (encoding is null)
        {
            return body;
        }

        // An encoding without a byte order mark has an empty preamble, with which every body begins.
        var mark = encoding.Preamble;
        var text = body.Span.StartsWith(mark) ? body.Span[mark.Length..] : body.Span;
        return Encoding.UTF8.GetBytes(encoding.GetString(text));
    }

    /// <summary>
    /// Returns the encoding of the byte order mark at the beginning of a body; null if there is none. The mark cannot
    /// be mistaken for content, because JSON text never begins with it.
    /// </summary>
    private static Encoding? EncodingOfMark(ReadOnlySpan<byte> body) => body switch
    {
        // UTF-32 comes first: its little-endian mark begins with the mark of UTF-16.
        [0xFF, 0xFE, 0x00, 0x00, ..] => new UTF32Encoding(bigEndian: false, byteOrderMark: true, throwOnInvalidCharacters: true),
        [0x00, 0x00, 0xFE, 0xFF, ..] => new UTF32Encoding(bigEndian: true, byteOrderMark: true, throwOnInvalidCharacters: true),
        [0xFF, 0xFE, ..] => new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true),
        [0xFE, 0xFF, ..] => new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true),
        _ => null,
    };

    /// <summary>
    /// Returns the encoding that the media type names; null if the body needs no conversion, because it is UTF-8. A
    /// body with an unknown character set is UTF-8 if its bytes are valid UTF-8.
    /// </summary>
    private Encoding? EncodingOfMediaType(ReadOnlySpan<byte> body)
    {
        if (charset.IsEmpty
            || charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            || charset.Equals("utf8", StringComparison.OrdinalIgnoreCase)
            || charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        try
        {
            return Encoding.GetEncoding(charset.ToString(), EncoderFallback.ExceptionFallback, DecoderFallback.ExceptionFallback);
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException && Utf8.IsValid(body))
        {
            return null;
        }
    }

    private static ReadOnlySpan<char> CharsetOf(ReadOnlySpan<char> parameters)
    {
        foreach (var range in parameters.Split(';'))
        {
            var parameter = parameters[range].Trim();
            var equals = parameter.IndexOf('=');
            if (equals > 0 && parameter[..equals].TrimEnd().Equals("charset", StringComparison.OrdinalIgnoreCase))
            {
                return parameter[(equals + 1)..].Trim().Trim('"');
            }
        }

        return default;
    }
}
