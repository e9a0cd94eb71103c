using System.Text.Encodings.Web;

namespace EventBus;

/// <summary>
/// Computes the size of texts as JSON, in bytes and without quotes: exact for the encoder that is the default, an upper
/// bound for others. One vectorized pass over the text; thread-safe.
/// </summary>
internal sealed class JsonTextSize
{
    /// <summary>The maximum size of one UTF-16 code unit by the encoders of .NET, in bytes: <c>\uXXXX</c>.</summary>
    private const int BytesOfEscape = 6;
    private const int BytesOfShortEscape = 2;

    // An encoder of the application may write any characters, and UTF-8 needs up to 3 bytes for each.
    private const int MaxBytesPerUnit = 3;

    // Pieces of this length are examined for characters to escape first. Counters of a piece do not overflow.
    private const int Piece = 4 * 1024;

    private readonly int bytesPerEscape;
    private readonly int bytesPerShortEscape;
    private readonly bool keepsPlain;

    private JsonTextSize(int bytesPerEscape, int bytesPerShortEscape, bool keepsPlain) =>
        (this.bytesPerEscape, this.bytesPerShortEscape, this.keepsPlain) = (bytesPerEscape, bytesPerShortEscape, keepsPlain);

    /// <summary>Returns the sizes by an encoder; null means the default encoder.</summary>
    public static JsonTextSize For(JavaScriptEncoder? encoder)
    {
        // The relaxed encoder escapes fewer characters than the default one, each as that does or shorter.
        if (encoder is null
            || ReferenceEquals(encoder, JavaScriptEncoder.Default)
            || ReferenceEquals(encoder, JavaScriptEncoder.UnsafeRelaxedJsonEscaping))
        {
            return new JsonTextSize(BytesOfEscape, BytesOfShortEscape, keepsPlain: true);
        }

        var most = Math.Max(encoder.MaxOutputCharactersPerInputCharacter, 1) * MaxBytesPerUnit;
        return new JsonTextSize(most, most, encoder.Encode(JsonEscapes.Plain) == JsonEscapes.Plain);
    }

    /// <summary>Returns the maximum size of a text of this length, without reading the text.</summary>
    public long BoundOf(int length) => (long)length * bytesPerEscape;

    /// <summary>Returns the size of a text. Reads every character.</summary>
    public long Of(string text)
    {
        if (!keepsPlain)
        {
            return BoundOf(text.Length);
        }

        var rest = text.AsSpan();
        long size = rest.Length;
        while (!rest.IsEmpty)
        {
            var piece = rest[..Math.Min(rest.Length, Piece)];
            var first = JsonEscapes.IndexOfFirst(piece);
            if (first >= 0)
            {
                var (escapes, shorts) = JsonEscapes.Count(piece[first..]);
                size += ((long)escapes * (bytesPerEscape - 1)) + ((long)shorts * (bytesPerShortEscape - 1));
            }

            rest = rest[piece.Length..];
        }

        return size;
    }
}
