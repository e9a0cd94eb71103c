using System.Net.Sockets;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Wraps the stream of one connection and tracks its last activity.</summary>
/// <param name="inner">The stream.</param>
/// <param name="socket">The socket of the connection; null if it has none.</param>
/// <param name="type">The kind of commands that the connection carries.</param>
/// <param name="closed">Called when the stream is disposed.</param>
internal sealed class ActivityTrackingStream(Stream inner, Socket? socket, ConnectionType type, Action<ActivityTrackingStream> closed)
    : Stream
{
    // A longer write is split, so that its progress counts as activity.
    private const int MaxWriteBytes = 64 * 1024;

    // A write that takes longer has waited for the server. A faster one only shows that a local buffer had room.
    private static readonly TimeSpan LongWrite = TimeSpan.FromMilliseconds(5);

    private long activeAt = TimeProvider.System.GetTimestamp();

    // The start of the first write after the last received byte; 0 for none.
    private long unansweredSince;

    public ConnectionType Type => type;

    public TimeSpan Silence => TimeProvider.System.GetElapsedTime(Volatile.Read(ref activeAt));

    /// <summary>The time since the first write after the last received byte; zero if there was no such write.</summary>
    public TimeSpan Unanswered
    {
        get
        {
            var since = Volatile.Read(ref unansweredSince);
            return since == 0 ? TimeSpan.Zero : TimeProvider.System.GetElapsedTime(since);
        }
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Shuts the connection down, as if the server had closed it.</summary>
    public void Shutdown()
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

    public override int Read(byte[] buffer, int offset, int count) => RecordRead(inner.Read(buffer, offset, count));

    public override int Read(Span<byte> buffer) => RecordRead(inner.Read(buffer));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        RecordRead(await inner.ReadAsync(buffer, cancellationToken));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        RecordWriteBegun();
        while (buffer.Length > 0)
        {
            var piece = buffer[..Math.Min(buffer.Length, MaxWriteBytes)];
            var begunAt = TimeProvider.System.GetTimestamp();
            inner.Write(piece);
            RecordPiece(begunAt);
            buffer = buffer[piece.Length..];
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        RecordWriteBegun();
        while (buffer.Length > 0)
        {
            var piece = buffer[..Math.Min(buffer.Length, MaxWriteBytes)];
            var begunAt = TimeProvider.System.GetTimestamp();
            await inner.WriteAsync(piece, cancellationToken);
            RecordPiece(begunAt);
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

    private int RecordRead(int count)
    {
        if (count > 0)
        {
            Volatile.Write(ref unansweredSince, 0);
            Volatile.Write(ref activeAt, TimeProvider.System.GetTimestamp());
        }

        return count;
    }

    private void RecordWriteBegun() => Interlocked.CompareExchange(ref unansweredSince, TimeProvider.System.GetTimestamp(), 0);

    private void RecordPiece(long begunAt)
    {
        var now = TimeProvider.System.GetTimestamp();
        if (TimeProvider.System.GetElapsedTime(begunAt, now) > LongWrite)
        {
            Volatile.Write(ref activeAt, now);
        }
    }
}
