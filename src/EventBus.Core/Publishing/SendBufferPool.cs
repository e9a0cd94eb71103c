namespace EventBus;

/// <summary>
/// Pools the buffers in which single events are passed to the transport and their outcomes come back. Thread-safe.
/// </summary>
internal sealed class SendBufferPool
{
    // Up to this many concurrent publishers reuse buffers; each further one allocates a new buffer.
    private const int Spares = 64;

    private readonly SendBuffer?[] spares = new SendBuffer?[Spares];
    private SendBuffer? first;
    private int count;

    public SendBuffer Take() => Interlocked.Exchange(ref first, null) ?? TakeSpare();

    /// <summary>
    /// Returns a buffer that the transport no longer uses to the pool. If two are returned concurrently, one may be
    /// dropped.
    /// </summary>
    public void GiveBack(SendBuffer slot)
    {
        slot.Clear();
        if (Volatile.Read(ref first) is null)
        {
            // In memory, a send ends before the next one begins, so this is the only path.
            Volatile.Write(ref first, slot);
            return;
        }

        for (var seen = Volatile.Read(ref count); seen < Spares; seen = Volatile.Read(ref count))
        {
            if (Interlocked.CompareExchange(ref count, seen + 1, seen) == seen)
            {
                Volatile.Write(ref spares[seen], slot);
                return;
            }
        }
    }

    private SendBuffer TakeSpare()
    {
        for (var seen = Volatile.Read(ref count); seen > 0; seen = Volatile.Read(ref count))
        {
            if (Interlocked.CompareExchange(ref count, seen - 1, seen) == seen)
            {
                // Null if another thread has claimed the place in order to return a buffer, but has not written it yet.
                return Interlocked.Exchange(ref spares[seen - 1], null) ?? new SendBuffer();
            }
        }

        return new SendBuffer();
    }
}
