using System.Buffers;

namespace EventBus.Stores;

/// <summary>What an idempotent subscription handles once.</summary>
/// <remarks>A key that is written as the bus writes its own ids, a UUID in lower case with hyphens, is held and compared as the UUID that it is: in memory no text is made of it.</remarks>
public readonly struct ProcessedKey : IEquatable<ProcessedKey>
{
    private const int UuidLength = 36;

    private static readonly SearchValues<char> UuidCharacters = SearchValues.Create("0123456789abcdef-");

    private readonly string? text;

    /// <summary>Makes the key of a text.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="key">The event's id, or the key that the application chose.</param>
    public ProcessedKey(string subscription, string key)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        ArgumentNullException.ThrowIfNull(key);
        Subscription = subscription;
        text = key;
        Uuid = key.Length == UuidLength && !key.AsSpan().ContainsAnyExcept(UuidCharacters) && Guid.TryParseExact(key, "D", out var uuid) ? uuid : Guid.Empty;
    }

    /// <summary>Makes the key of an event's id.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id, which is not empty.</param>
    public ProcessedKey(string subscription, Guid eventId)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        // Not ThrowIfEqual, which compares by an interface: a key is made twice for every event.
        if (eventId == Guid.Empty)
        {
            throw new ArgumentOutOfRangeException(nameof(eventId), "An event's id is not empty.");
        }

        Subscription = subscription;
        Uuid = eventId;
    }

    /// <summary>The subscription.</summary>
    public string Subscription { get; }

    /// <summary>The key as a UUID; empty when it is none, and then <see cref="Key"/> is what it is.</summary>
    public Guid Uuid { get; }

    /// <summary>The event's id, or the key that the application chose.</summary>
    public string Key => text ?? Uuid.ToString("D");

    /// <summary>Whether two keys are the same.</summary>
    /// <param name="left">The one.</param>
    /// <param name="right">The other.</param>
    public static bool operator ==(ProcessedKey left, ProcessedKey right) => left.Equals(right);

    /// <summary>Whether two keys differ.</summary>
    /// <param name="left">The one.</param>
    /// <param name="right">The other.</param>
    public static bool operator !=(ProcessedKey left, ProcessedKey right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(ProcessedKey other) =>
        Uuid == other.Uuid && string.Equals(Subscription, other.Subscription, StringComparison.Ordinal) && (Uuid != Guid.Empty || string.Equals(text, other.text, StringComparison.Ordinal));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ProcessedKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Uuid != Guid.Empty ? Uuid.GetHashCode() : text is null ? 0 : StringComparer.Ordinal.GetHashCode(text);

    /// <inheritdoc/>
    public override string ToString() => $"{Subscription}~{Key}";
}
