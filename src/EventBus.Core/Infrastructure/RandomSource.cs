using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EventBus;

/// <summary>
/// The one source of chance of a bus, for ids and jitter: the system's, or a seed so that a run can be repeated.
/// Thread-safe.
/// </summary>
internal sealed class RandomSource(int? seed = null)
{
    private readonly Lock gate = new();
    private readonly Random? seeded = seed is { } value ? new Random(value) : null;

    /// <summary>A number from 0 up to, not including, a power of two.</summary>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "This is the injected source, and where no seed was given, the system's.")]
    public long NextBits(int bits)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        if (seeded is null)
        {
            // Seeded by the system with 256 bits, and so as unique as ids need to be. Nothing here is a secret, for
            // which a program would have to load a cryptographic library.
            Random.Shared.NextBytes(bytes);
        }
        else
        {
            lock (gate)
            {
                seeded.NextBytes(bytes);
            }
        }

        return MemoryMarshal.Read<long>(bytes) & ((1L << bits) - 1);
    }

    /// <summary>A number from 0 to 1.</summary>
    public double NextDouble() => NextBits(53) / (double)(1L << 53);
}
