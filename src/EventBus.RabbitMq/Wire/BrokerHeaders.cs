namespace EventBus;

/// <summary>
/// Recognizes the headers that the broker writes itself, and repetitions of them. The broker replaces the first header
/// of a name, but the client would use the last.
/// </summary>
internal static class BrokerHeaders
{
    /// <summary>True for a header that the broker writes itself.</summary>
    public static bool Contains(ReadOnlySpan<byte> name) => IndexOf(name) >= 0;

    /// <summary>Returns true for a header of the broker that was already found, and records its name.</summary>
    /// <param name="name">The name of the header.</param>
    /// <param name="seen">Bit flags of the broker's header names that were already found.</param>
    public static bool IsRepetition(ReadOnlySpan<byte> name, ref int seen)
    {
        var index = IndexOf(name);
        if (index < 0)
        {
            return false;
        }

        var flag = 1 << index;
        var isRepetition = (seen & flag) != 0;
        seen |= flag;
        return isRepetition;
    }

    private static int IndexOf(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("x-delivery-count"u8))
        {
            return 0;
        }

        if (name.SequenceEqual("x-acquired-count"u8))
        {
            return 1;
        }

        return BrokerDeathList.IsName(name) ? 2 : -1;
    }
}
