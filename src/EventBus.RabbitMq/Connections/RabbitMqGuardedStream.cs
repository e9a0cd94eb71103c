using System.Net.Sockets;

namespace EventBus;

/// <summary>
/// Passes the data that the broker sends through a <see cref="FrameFilter"/>, so that the client can read every
/// message. Counts the received bytes.
/// </summary>
internal sealed class RabbitMqGuardedStream(Socket socket, Stream inner, ConnectionTraffic traffic)
    : NetworkStream(socket, ownsSocket: false)
{
    private readonly FrameFilter filter = new();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        while (true)
        {
            filter.Check();
            if (filter.HasChecked)
            {
                return filter.TakeChecked(buffer.Span);
            }

            var count = await inner.ReadAsync(filter.MakeRoom(), cancellationToken);
            if (count == 0)
            {
                filter.PassUnchecked();
                filter.Check();
                return filter.HasChecked ? filter.TakeChecked(buffer.Span) : 0;
            }

            // A heartbeat alone shows that the broker is alive, but not that this side can still reach it.
            var isHeartbeat = filter.Add(count);
            if (!isHeartbeat)
            {
                traffic.Add(count);
            }
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("The client reads asynchronously.");

    public override int Read(Span<byte> buffer) => throw new NotSupportedException("The client reads asynchronously.");

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override void Write(ReadOnlySpan<byte> buffer) => inner.Write(buffer);

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
