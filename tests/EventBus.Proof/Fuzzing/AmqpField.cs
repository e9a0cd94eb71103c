namespace EventBus.Proof;

/// <summary>Creates values of an AMQP table in the wire format: a letter for the type, then the value.</summary>
internal static class AmqpField
{
    private const int Deepest = 4;

    /// <summary>Returns a value that the client can read.</summary>
    public static byte[] Any(Chance chance, int depth) => chance.Below(depth < Deepest ? 16 : 14) switch
    {
        0 => [(byte)'t', (byte)chance.Below(3)],
        1 => [(byte)'b', (byte)chance.Below(256)],
        2 => [(byte)'B', (byte)chance.Below(256)],
        3 => [(byte)'s', .. chance.Bytes(2)],
        4 => [(byte)'u', .. chance.Bytes(2)],
        5 => [(byte)'I', .. chance.Bytes(4)],
        6 => [(byte)'i', .. chance.Bytes(4)],
        7 => [(byte)'l', .. chance.Hits(2) ? chance.Bytes(8) : AmqpSocket.UInt64((ulong)chance.Below(10))],
        8 => [(byte)'f', .. chance.Hits(2) ? chance.Bytes(4) : [0x7F, 0xC0, 0, 0]],
        9 => [(byte)'d', .. chance.Hits(2) ? chance.Bytes(8) : [0x7F, 0xF0, 0, 0, 0, 0, 0, 0]],
        10 => [(byte)'D', (byte)chance.Below(29), .. chance.Bytes(4)],
        11 => [
            (byte)'T',
            .. chance.Hits(2) ? chance.Bytes(8) : AmqpSocket.UInt64(chance.Pick<ulong>(0, ulong.MaxValue, long.MaxValue, 253_402_300_800))
        ],
        12 => [(byte)'V'],
        13 => [(byte)chance.Pick('x', 'S'), .. AmqpSocket.Long(FuzzTexts.Odd(chance))],
        14 => [(byte)'F', .. AmqpSocket.Long([
            .. AmqpSocket.Short(FuzzTexts.Odd(chance)),
            .. Any(chance, depth + 1),
            .. AmqpSocket.Short("k"u8),
            .. Any(chance, depth + 1)
        ])],
        _ => [(byte)'A', .. AmqpSocket.Long([.. Any(chance, depth + 1), .. Any(chance, depth + 1)])],
    };

    /// <summary>Returns nested arrays or tables.</summary>
    public static byte[] Deep(bool isTable, int depth)
    {
        // Each value in a table has a name; the outermost value has none here.
        byte[] opening = isTable ? [1, (byte)'k', (byte)'F'] : [(byte)'A'];
        byte[] innermost = opening.Length == 1 ? [(byte)'V'] : [1, (byte)'k', (byte)'V'];
        var each = opening.Length + sizeof(int);
        var value = new byte[(each * depth) + innermost.Length];
        for (var i = 0; i < depth; i++)
        {
            opening.CopyTo(value, i * each);
            AmqpSocket.UInt32((uint)(value.Length - ((i + 1) * each))).CopyTo(value, (i * each) + opening.Length);
        }

        innermost.CopyTo(value, each * depth);
        return value[(opening.Length - 1)..];
    }

    /// <summary>Returns a field of a type that the broker accepts but the client cannot read.</summary>
    /// <remarks>The broker needs seconds for the deepest ones, so they are rare.</remarks>
    public static byte[] Hostile(Chance chance, long number) => chance.Below(6) switch
    {
        _ when FuzzGenerator.IsDeepest(number) => Deep(isTable: false, 25_000),
        0 => [(byte)'D', (byte)chance.Between(29, 255), .. chance.Bytes(4)],
        1 => [(byte)'A', .. AmqpSocket.Long([(byte)'V', (byte)'D', 255, 0, 0, 0, 1])],
        2 => [(byte)'L', .. chance.Bytes(8)],
        3 => Deep(chance.Hits(2), chance.Pick(99, 100, 101, 1_000)),
        _ => Deep(chance.Hits(2), chance.Pick(1_500, 3_000)),
    };
}
