using System.Net.Sockets;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Wraps one connection and tracks its last activity.</summary>
internal sealed class ActivityTrackingStream(Stream inner, Socket? socket, ConnectionType type, Action<ActivityTrackingStream> closed)
    : Stream
{
    // A long write is split, so that its progress counts as activity.
    private const int Piece = 64 * 1024;

    // A faster write only shows that there was room in a local buffer.
    private static readonly TimeSpan Waited = TimeSpan.FromMilliseconds(5);

    private long livedAt = TimeProvider.System.GetTimestamp();

    // The start of the first write after the last received byte; 0 for none.
    private long askedAt;

    public ConnectionType Type => type;

    public TimeSpan Silence => TimeProvider.System.GetElapsedTime(Volatile.Read(ref livedAt));

    /// <summary>
    /// The time for which sent data has had no answer, not a single byte; zero if everything was answered.
    /// </summary>
    public TimeSpan Unanswered =>
        Volatile.Read(ref askedAt) is not 0 and var since ? TimeProvider.System.GetElapsedTime(since) : TimeSpan.Zero;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Shuts the connection down, as if the other side had closed it.</summary>
    public void End()
    {
        try
        {
            socket?.Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Already closed.
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Received(inner.Read(buffer, offset, count));

    public override int Read(Span<byte> buffer) => Received(inner.Read(buffer));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Received(await inner.ReadAsync(buffer, cancellationToken));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Asked();
        while (buffer.Length > 0)
        {
            var piece = buffer[..Math.Min(buffer.Length, Piece)];
            var begunAt = TimeProvider.System.GetTimestamp();
            inner.Write(piece);
            Sent(begunAt);
            buffer = buffer[piece.Length..];
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Asked();
        while (buffer.Length > 0)
        {
            var piece = buffer[..Math.Min(buffer.Length, Piece)];
            var begunAt = TimeProvider.System.GetTimestamp();
            await inner.WriteAsync(piece, cancellationToken);
            Sent(begunAt);
            buffer = buffer[piece.Length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            closed(this);
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Received(int count)
    {
        if (count > 0)
        {
            Volatile.Write(ref askedAt, 0);
            Volatile.Write(ref livedAt, TimeProvider.System.GetTimestamp());
        }

        return count;
    }

    private void Asked() => Interlocked.CompareExchange(ref askedAt, TimeProvider.System.GetTimestamp(), 0);

    private void Sent(long begunAt)
    {
        var now = TimeProvider.System.GetTimestamp();
        if (TimeProvider.System.GetElapsedTime(begunAt, now) > Waited)
        {
            Volatile.Write(ref livedAt, now);
        }
    }
}
