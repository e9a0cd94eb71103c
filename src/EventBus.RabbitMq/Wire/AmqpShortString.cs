using System.Text;

namespace EventBus;

/// <summary>
/// Defines the limit of an AMQP short string, which encodes for instance the message id, the content type, the name of
/// a header and the name of a queue.
/// </summary>
internal static class AmqpShortString
{
    /// <summary>The maximum number of bytes.</summary>
    public const int MaxBytes = 255;

    /// <summary>
    /// True if a text fits into a short string. The bytes of a short text are not counted: one UTF-16 code unit takes
    /// at most three bytes in UTF-8.
    /// </summary>
    public static bool Fits(string text) => text.Length <= MaxBytes / 3 || Encoding.UTF8.GetByteCount(text) <= MaxBytes;
}
