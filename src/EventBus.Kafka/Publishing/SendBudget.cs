namespace EventBus;

/// <summary>
/// Limits what was sent and is not answered, by count and by bytes, below the limits of the client. Thread-safe.
/// </summary>
/// <param name="maxCount">The maximum number of records.</param>
/// <param name="maxBytes">The maximum size. One record may be larger if it is the only one.</param>
internal sealed class SendBudget(int maxCount, long maxBytes)
{
    private readonly Lock gate = new();
    private int count;
    private long bytes;

    /// <summary>The number of records that are not answered.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Reserves room for a record; false if there is none.</summary>
    public bool TryTake(int size)
    {
        lock (gate)
        {
            if (count >= maxCount || (count > 0 && bytes + size > maxBytes))
            {
                return false;
            }

            count++;
            bytes += size;
            return true;
        }
    }

    /// <summary>Gives the room of a record back.</summary>
    public void Return(int size)
    {
        lock (gate)
        {
            count--;
            bytes -= size;
        }
    }
}
