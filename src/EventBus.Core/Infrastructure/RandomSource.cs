using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EventBus;

/// <summary>
/// The random source of a bus, for ids and jitter. Uses the system's generator, or a seed to make a run repeatable.
/// Thread-safe.
/// </summary>
internal sealed class RandomSource(int? seed = null)
{
    private readonly Lock sync = new();
    private readonly Random? seeded = seed is { } value ? new Random(value) : null;

    /// <summary>
    /// Returns a random number from 0 up to, but not including, 2 to the power of <paramref name="bits"/>.
    /// </summary>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "The only class that uses the random numbers of the system.")]
    public long NextBits(int bits)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        if (seeded is null)
        {
            // The system seeds this generator with 256 bits, which is enough for unique ids. The numbers are not
            // secret; a cryptographic generator would require loading a cryptographic library.
            Random.Shared.NextBytes(bytes);
        }
        else
        {
            lock (sync)
            {
                seeded.NextBytes(bytes);
            }
        }

        return MemoryMarshal.Read<long>(bytes) & ((1L << bits) - 1);
    }

    /// <summary>Returns a random number from 0 up to, but not including, 1.</summary>
    public double NextDouble() => NextBits(53) / (double)(1L << 53);
}
