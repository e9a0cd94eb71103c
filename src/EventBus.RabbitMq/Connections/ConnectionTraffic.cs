namespace EventBus;

/// <summary>Counts the bytes received over a connection. One thread adds, any thread reads.</summary>
internal sealed class ConnectionTraffic
{
    private long bytes;

    public long Bytes => Volatile.Read(ref bytes);

    public void Add(int count) => Volatile.Write(ref bytes, bytes + count);
}
