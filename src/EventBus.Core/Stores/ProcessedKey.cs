using System.Buffers;

namespace EventBus.Stores;

/// <summary>Identifies an event in an idempotent subscription.</summary>
/// <remarks>
/// A key in the format of the bus's own ids, a UUID in lower case with hyphens, is stored and compared as a UUID, so
/// that no string is created for it in memory.
/// </remarks>
public readonly struct ProcessedKey : IEquatable<ProcessedKey>
{
    private const int UuidLength = 36;

    private static readonly SearchValues<char> UuidCharacters = SearchValues.Create("0123456789abcdef-");

    private readonly string? text;

    /// <summary>Creates a key from a text.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="key">The event's id, or the key from the application.</param>
    public ProcessedKey(string subscription, string key)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        ArgumentNullException.ThrowIfNull(key);
        Subscription = subscription;
        text = key;
        Uuid = key.Length == UuidLength && !key.AsSpan().ContainsAnyExcept(UuidCharacters) && Guid.TryParseExact(key, "D", out var uuid)
            ? uuid
            : Guid.Empty;
    }

    /// <summary>Creates a key from an event's id.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id. It must not be empty.</param>
    public ProcessedKey(string subscription, Guid eventId)
    {
        ArgumentNullException.ThrowIfNull(subscription);

        // ThrowIfEqual is avoided because it compares through an interface, and a key is created twice for every event.
        if (eventId == Guid.Empty)
        {
            throw new ArgumentOutOfRangeException(nameof(eventId), "The id of an event must not be an empty UUID.");
        }

        Subscription = subscription;
        Uuid = eventId;
    }

    /// <summary>The subscription.</summary>
    public string Subscription { get; }

    /// <summary>The key as a UUID; <see cref="Guid.Empty"/> if the key is a text that is not a UUID.</summary>
    public Guid Uuid { get; }

    /// <summary>The event's id, or the key from the application.</summary>
    public string Key => text ?? Uuid.ToString("D");

    /// <summary>Returns true if two keys are equal.</summary>
    /// <param name="left">The first key.</param>
    /// <param name="right">The second key.</param>
    public static bool operator ==(ProcessedKey left, ProcessedKey right) => left.Equals(right);

    /// <summary>Returns true if two keys are not equal.</summary>
    /// <param name="left">The first key.</param>
    /// <param name="right">The second key.</param>
    public static bool operator !=(ProcessedKey left, ProcessedKey right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(ProcessedKey other) =>
        Uuid == other.Uuid
            && string.Equals(Subscription, other.Subscription, StringComparison.Ordinal)
            && (Uuid != Guid.Empty || string.Equals(text, other.text, StringComparison.Ordinal));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ProcessedKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (Uuid != Guid.Empty)
        {
            return Uuid.GetHashCode();
        }

        return text is null ? 0 : StringComparer.Ordinal.GetHashCode(text);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Subscription}~{Key}";
}
