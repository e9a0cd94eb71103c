using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace EventBus;

/// <summary>The one source of chance of a bus, for ids and jitter: the system's, or a seed so that a run can be repeated. Thread-safe.</summary>
internal sealed class Entropy(int? seed = null)
{
    private readonly Lock gate = new();
    private readonly Random? seeded = seed is { } value ? new Random(value) : null;

    /// <summary>A number from 0 up to, not including, a power of two.</summary>
    public long NextBits(int bits)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        if (seeded is null)
        {
            RandomNumberGenerator.Fill(bytes);
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
