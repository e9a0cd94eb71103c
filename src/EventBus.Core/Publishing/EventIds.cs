using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace EventBus;

/// <summary>
/// Creates event ids: time-ordered UUIDs of version 7 (RFC 9562, section 5.7; the counter is method 2 of section 6.2,
/// monotonic random). Thread-safe.
/// </summary>
internal sealed class EventIds(RandomSource random)
{
    private const ulong VersionSeven = 0x7UL << 12;
    private const ulong Variant = 0x2UL << 62;
    private const ulong LowMask = (1UL << 62) - 1;

    // The 16 bits after the time: the version, and random bits that stay the same in this process.
    private readonly ulong versionBits = VersionSeven | (ulong)random.NextBits(12);

    // A random start below 2^61, then incremented: unique within the process without a lock. The probability that
    // another process has the same value is 2^-61.
    private long counter = random.NextBits(61);

    /// <summary>Returns a new id.</summary>
    /// <param name="utcTicks">The current time (UTC) in ticks of 100 ns.</param>
    public Guid Next(long utcTicks)
    {
        var milliseconds = (ulong)((utcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMillisecond);
        var low = (ulong)Interlocked.Increment(ref counter) & LowMask;
        return FromHalves((milliseconds << 16) | versionBits, Variant | low);
    }

    /// <summary>
    /// Derives the id of an event that a handler or a saga publishes. The id is the same whenever the handler or the
    /// step runs again, and differs in another service.
    /// </summary>
    /// <param name="service">The service name of the bus.</param>
    /// <param name="parentId">The id of the event being handled, or of the saga.</param>
    /// <param name="origin">The name of the subscription, or the part of the saga that publishes the event.</param>
    /// <param name="ordinal">The ordinal of the event among those with the same origin and parent.</param>
    public static Guid Derive(string service, string parentId, string origin, int ordinal)
    {
        // The lengths make the text unambiguous, whatever characters the names contain.
        var text = $"{service.Length}:{service}/{parentId.Length}:{parentId}/{origin.Length}:{origin}/{ordinal}";
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);

        // Version 8 is for ids that an application derives by its own rule (RFC 9562, section 5.8).
        var first = (BinaryPrimitives.ReadUInt64BigEndian(hash) & ~0xF000UL) | 0x8000UL;
        var second = (BinaryPrimitives.ReadUInt64BigEndian(hash[8..]) & LowMask) | Variant;
        return FromHalves(first, second);
    }

    private static Guid FromHalves(ulong first, ulong second) =>
        new(
            (uint)(first >> 32),
            (ushort)(first >> 16),
            (ushort)first,
            (byte)(second >> 56),
            (byte)(second >> 48),
            (byte)(second >> 40),
            (byte)(second >> 32),
            (byte)(second >> 24),
            (byte)(second >> 16),
            (byte)(second >> 8),
            (byte)second);
}
