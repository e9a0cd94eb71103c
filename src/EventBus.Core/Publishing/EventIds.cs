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

    private readonly ulong high = VersionSeven | (ulong)random.NextBits(12);

    // A random start below 2^61, then incremented: unique within the process without a lock. The probability that
    // another process has the same value is 2^-61.
    private long low = random.NextBits(61);

    public Guid Next(long utcTicks)
    {
        var milliseconds = (ulong)((utcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMillisecond);
        return FromHalves((milliseconds << 16) | high, Variant | ((ulong)Interlocked.Increment(ref low) & LowMask));
    }

    /// <summary>
    /// Derives the id of the n-th event that a handler published. It is the same whenever the handler runs again for
    /// the same event, and differs for a subscription of the same name in another service.
    /// </summary>
    public static Guid Derive(string service, string parentId, string subscription, int ordinal)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(
            $"{service.Length}:{service}/{parentId.Length}:{parentId}/{subscription.Length}:{subscription}/{ordinal}"), hash);

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
