namespace EventBus;

/// <summary>How many bytes have shown that the other side of a connection is there: those received, and those of a large event that it took. Thread-safe.</summary>
internal sealed class WireTraffic
{
    private long bytes;

    public long Bytes => Volatile.Read(ref bytes);

    public void Add(int count) => Interlocked.Add(ref bytes, count);
}
