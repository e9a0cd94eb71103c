using System.Numerics;

namespace EventBus.Proof;

/// <summary>
/// The random numbers of one fuzz message. They depend only on the seed and the number of the message, so that each
/// message can be created again without the earlier ones.
/// </summary>
internal sealed class Chance(long seed, long number)
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private ulong state = Mix((ulong)seed + Step) ^ Mix((ulong)number * Step);

    /// <summary>Returns a number that is at least 0 and below the limit.</summary>
    public int Below(int limit) => (int)(Next() % (ulong)limit);

    /// <summary>Returns a number between two limits, both included.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    /// <summary>Returns true once in <paramref name="oneIn"/> calls on average.</summary>
    public bool Hits(int oneIn) => Below(oneIn) == 0;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    public byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        for (var i = 0; i < length; i++)
        {
            bytes[i] = (byte)Next();
        }

        return bytes;
    }

    private ulong Next() => Mix(state += Step);

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ BitOperations.RotateRight(value, 31);
    }
}
