using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace EventBus;

/// <summary>Computes the hashes of UUIDs that are the keys of a hash table.</summary>
internal static class UuidHash
{
    /// <summary>
    /// Computes a hash whose last bits are the bucket. Consecutive ids of the bus, which increments their last bytes,
    /// get adjacent buckets, which are likely to be in the processor's cache. For ids of other sources, all bytes
    /// contribute. A publisher could craft ids that all get the same bucket: <see cref="ComputeSeeded"/> prevents that.
    /// </summary>
    public static int Compute(Guid uuid)
    {
        Span<ulong> halves = stackalloc ulong[2];
        MemoryMarshal.Write(MemoryMarshal.AsBytes(halves), uuid);
        var last = BinaryPrimitives.ReverseEndianness(halves[1]);
        return (int)(last + (((last >> 32) ^ halves[0]) * 0x9E37_79B9_7F4A_7C15 >> 32));
    }

    /// <summary>Computes a hash with a random seed, which a publisher cannot predict.</summary>
    public static int ComputeSeeded(Guid uuid)
    {
        // Does not use Guid.GetHashCode, whose result is the same in every process.
        var parts = MemoryMarshal.Cast<Guid, int>(MemoryMarshal.CreateReadOnlySpan(in uuid, 1));
        return HashCode.Combine(parts[0], parts[1], parts[2], parts[3]);
    }
}
