using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Computes the key by which a subscription recognizes copies of an event, and the fingerprint by which it notices that
/// an id was used again for other content.
/// </summary>
internal static class EventIdentity
{
    private const int MaxKeyLength = 256;

    /// <summary>
    /// Returns the text by which a subscription recognizes copies of an event. A custom key is scoped to one event
    /// type: OrderPaid and OrderShipped of the same order are not copies of each other.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="customKey">The key of the application; null for the id of the event.</param>
    /// <remarks>
    /// The event of a replay is no copy of the event before it or in another replay. Two deliveries of one replay are
    /// copies.
    /// </remarks>
    public static string KeyOf(Envelope envelope, string? customKey)
    {
        var key = customKey is null ? envelope.Id : $"{envelope.Name}~{customKey}";
        return envelope.Replay == 0 ? key : key + ReplayMarkOf(envelope);
    }

    /// <summary>Returns the key that an event has outside of a replay.</summary>
    /// <param name="key">The key of <see cref="KeyOf"/>.</param>
    /// <param name="envelope">The event.</param>
    public static string WithoutReplay(string key, Envelope envelope) =>
        envelope.Replay == 0 ? key : key[..^ReplayMarkOf(envelope).Length];

    /// <summary>Returns the key of the application; null for none.</summary>
    /// <param name="options">The options of the application.</param>
    /// <param name="event">The event object; null if the application has no type for the event.</param>
    /// <exception cref="InvalidOperationException">The key is too long or empty.</exception>
    public static string? CustomKeyOf(IdempotencyOptions options, object? @event)
    {
        var customKey = @event is null ? null : options.KeyOf(@event.GetType())?.Invoke(@event);
        if (customKey is { Length: 0 or > MaxKeyLength })
        {
            throw new InvalidOperationException(
                $"The idempotency key has {customKey.Length} characters; 1 to {MaxKeyLength} are allowed. Correct the function given to "
                    + $"KeyedBy<{@event!.GetType().Name}>().");
        }

        return customKey;
    }

    /// <summary>
    /// Returns the first 64 bits of the SHA-256 hash of the body, or 1 if these are 0. Returns 0, which means no
    /// fingerprint, if the event has no body, or if its copies may have other bodies.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="customKey">The key of the application; null for none.</param>
    public static long FingerprintOf(Envelope envelope, string? customKey)
    {
        // When a handler is retried, the events that it publishes have the same ids, but their bodies may contain other
        // timestamps. So events with derived ids have no fingerprint.
        var hasFingerprint = customKey is null && !envelope.IdIsDerived && envelope.BodyLength >= 0;
        if (!hasFingerprint)
        {
            return 0;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(envelope.Body.Span, hash);
        var value = BinaryPrimitives.ReadInt64LittleEndian(hash);
        return value == 0 ? 1 : value;
    }

    private static string ReplayMarkOf(Envelope envelope) =>
        string.Create(CultureInfo.InvariantCulture, $"~replay~{envelope.Replay}");
}
