using System.Text;

namespace EventBus.Kafka.Tests;

/// <summary>
/// The partition of a key as the default of the Java client computes it, written from its description.
/// </summary>
internal static class Murmur2
{
    private const uint Multiplier = 0x5BD1E995;
    private const uint Seed = 0x9747B28C;

    public static int PartitionOf(string key, int partitions) =>
        (int)(Hash(Encoding.UTF8.GetBytes(key)) & 0x7FFFFFFF) % partitions;

    private static uint Hash(ReadOnlySpan<byte> data)
    {
        unchecked
        {
            var hash = Seed ^ (uint)data.Length;
            var rest = data;
            while (rest.Length >= 4)
            {
                var word = BitConverter.ToUInt32(rest) * Multiplier;
                word = (word ^ (word >> 24)) * Multiplier;
                hash = (hash * Multiplier) ^ word;
                rest = rest[4..];
            }

            if (rest.Length > 0)
            {
                for (var i = rest.Length - 1; i >= 0; i--)
                {
                    hash ^= (uint)rest[i] << (8 * i);
                }

                hash *= Multiplier;
            }

            hash = (hash ^ (hash >> 13)) * Multiplier;
            return hash ^ (hash >> 15);
        }
    }
}
