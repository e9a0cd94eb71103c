namespace EventBus;

/// <summary>The memory in which a single event is handed to the transport, and its outcome comes back: used again by later sends. Thread-safe.</summary>
internal sealed class SendBufferPool
{
    // As many publishers at once make no garbage; each further one makes a slot of its own.
    private const int Spares = 64;

    private readonly SendBuffer?[] spares = new SendBuffer?[Spares];
    private SendBuffer? first;
    private int count;

    public SendBuffer Take() => Interlocked.Exchange(ref first, null) ?? TakeSpare();

    /// <summary>Gives back a slot that no transport knows any more. Of two at once, one may be forgotten.</summary>
    public void GiveBack(SendBuffer slot)
    {
        slot.Clear();
        if (Volatile.Read(ref first) is null)
        {
            // In memory a send ends before the next begins, and this is all that happens.
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
                // Empty where whoever gave back has claimed the place, and not yet written it.
                return Interlocked.Exchange(ref spares[seen - 1], null) ?? new SendBuffer();
            }
        }

        return new SendBuffer();
    }
}
