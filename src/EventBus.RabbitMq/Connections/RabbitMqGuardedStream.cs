using System.Buffers.Binary;
using System.Net.Sockets;

namespace EventBus;

/// <summary>
/// Filters the data that the broker sends: removes header fields that would make the client fail. Only content headers
/// are checked; all other data passes unchanged.
/// </summary>
internal sealed class RabbitMqGuardedStream(Socket socket, Stream inner, ConnectionTraffic traffic)
    : NetworkStream(socket, ownsSocket: false)
{
    // A frame has a type, a channel and a length before its payload, and an end marker after it.
    private const int BeforePayload = 7;
    private const int AroundPayload = BeforePayload + 1;
    private const int LengthAt = 3;
    private const byte HeaderFrame = 2;
    private const byte HeartbeatFrame = 8;

    // A header frame is buffered until it is complete. The client rejects larger frames.
    private const uint MaxHeaderFrame = 134_217_728;

    private byte[] buffer = new byte[65_536];
    private int start;
    private int checkedTo;
    private int end;
    // The number of bytes of the current frame that pass unchecked.
    private long passing;

    // True if all further data passes unchecked, because it is not AMQP (an answer of the broker to another protocol
    // version) or because the stream has ended.
    private bool passesUnchecked;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        while (true)
        {
            Check();
            if (checkedTo > start)
            {
                return Take(buffer.Span);
            }

            MakeRoom();
            var count = await inner.ReadAsync(this.buffer.AsMemory(end), cancellationToken);
            if (count == 0)
            {
                // The stream has ended, possibly in the middle of a frame.
                passesUnchecked = true;
                Check();
                return checkedTo > start ? Take(buffer.Span) : 0;
            }

            // A heartbeat alone shows that the broker is alive, but not that this side can still reach it.
            var isAtFrame = checkedTo == end && passing == 0 && !passesUnchecked;
            var isHeartbeat = isAtFrame && count == AroundPayload && this.buffer[end] == HeartbeatFrame;
            if (!isHeartbeat)
            {
                traffic.Add(count);
            }

            end += count;
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

    private int Take(Span<byte> target)
    {
        var count = Math.Min(target.Length, checkedTo - start);
        buffer.AsSpan(start, count).CopyTo(target);
        start += count;
        if (start == end)
        {
            (start, checkedTo, end) = (0, 0, 0);
        }

        return count;
    }

    private void MakeRoom()
    {
        if (end < buffer.Length)
        {
            return;
        }

        var larger = start == 0 ? new byte[buffer.Length * 2] : buffer;
        buffer.AsSpan(start, end - start).CopyTo(larger);
        (buffer, checkedTo, end, start) = (larger, checkedTo - start, end - start, 0);
    }

    /// <summary>Checks the received data as far as possible.</summary>
    private void Check()
    {
        while (checkedTo < end)
        {
            var rest = end - checkedTo;
            if (passesUnchecked || passing > 0)
            {
                var step = passesUnchecked ? rest : (int)Math.Min(passing, rest);
                checkedTo += step;
                passing = Math.Max(0, passing - step);
                continue;
            }

            if (rest < BeforePayload)
            {
                return;
            }

            var type = buffer[checkedTo];
            if (type is not (1 or HeaderFrame or 3 or 8))
            {
                passesUnchecked = true;
                continue;
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(buffer.AsSpan(checkedTo + LengthAt));
            if (type != HeaderFrame || length > MaxHeaderFrame)
            {
                passing = AroundPayload + (long)length;
            }
            else if (rest < AroundPayload + (int)length)
            {
                return;
            }
            else
            {
                checkedTo += AroundPayload + Repair((int)length);
            }
        }
    }

    /// <summary>Checks the header frame at the current position, and replaces it if necessary.</summary>
    /// <returns>The length of its payload afterwards.</returns>
    private int Repair(int length)
    {
        var payloadAt = checkedTo + BeforePayload;
        if (RabbitMqHeaderCheck.Repair(buffer.AsSpan(payloadAt, length)) is not { } repaired)
        {
            return length;
        }

        // The marker of the removed field may be longer than the field itself.
        var more = repaired.Length - length;
        var behind = buffer.AsSpan(payloadAt + length, end - payloadAt - length);
        var target = end + more > buffer.Length ? new byte[end + more] : buffer;
        behind.CopyTo(target.AsSpan(payloadAt + repaired.Length));
        if (target != buffer)
        {
            buffer.AsSpan(0, payloadAt).CopyTo(target);
            buffer = target;
        }

        repaired.CopyTo(buffer, payloadAt);
        BinaryPrimitives.WriteInt32BigEndian(buffer.AsSpan(checkedTo + LengthAt), repaired.Length);
        end += more;
        return repaired.Length;
    }
}
