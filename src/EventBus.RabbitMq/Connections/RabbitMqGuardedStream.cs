using System.Buffers.Binary;
using System.Net.Sockets;

namespace EventBus;

/// <summary>
/// Filters the data that the broker sends: replaces header fields that would make the client fail by a marker
/// (<see cref="RabbitMqHeaderCheck"/>). Only content headers are checked; all other data passes unchanged.
/// </summary>
internal sealed class RabbitMqGuardedStream(Socket socket, Stream inner, ConnectionTraffic traffic)
    : NetworkStream(socket, ownsSocket: false)
{
    // A frame of AMQP 0-9-1: a type (1 byte), a channel (2 bytes) and the length of the payload (4 bytes), the payload,
    // and an end marker (1 byte).
    private const int LengthOffset = 3;
    private const int PayloadOffset = 7;
    private const int FrameOverhead = PayloadOffset + 1;

    // The types of frames.
    private const byte MethodFrame = 1;
    private const byte HeaderFrame = 2;
    private const byte BodyFrame = 3;
    private const byte HeartbeatFrame = 8;

    // A header frame is buffered until it is complete. The client rejects larger frames.
    private const uint MaxHeaderFrame = 134_217_728;

    // Received data that the client has not read: checked data from start to checkedEnd, then unchecked data up to end.
    private byte[] received = new byte[65_536];
    private int start;
    private int checkedEnd;
    private int end;

    // The number of following bytes that belong to a frame without headers, and need no check.
    private long uncheckedFrameBytes;

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
            if (checkedEnd > start)
            {
                return TakeChecked(buffer.Span);
            }

            MakeRoom();
            var count = await inner.ReadAsync(received.AsMemory(end), cancellationToken);
            if (count == 0)
            {
                // The stream has ended, possibly in the middle of a frame.
                passesUnchecked = true;
                Check();
                return checkedEnd > start ? TakeChecked(buffer.Span) : 0;
            }

            // A heartbeat alone shows that the broker is alive, but not that this side can still reach it.
            var beginsFrame = checkedEnd == end && uncheckedFrameBytes == 0 && !passesUnchecked;
            var isHeartbeat = beginsFrame && count == FrameOverhead && received[end] == HeartbeatFrame;
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

    private int TakeChecked(Span<byte> target)
    {
        var count = Math.Min(target.Length, checkedEnd - start);
        received.AsSpan(start, count).CopyTo(target);
        start += count;
        if (start == end)
        {
            start = 0;
            checkedEnd = 0;
            end = 0;
        }

        return count;
    }

    /// <summary>Moves the data to the beginning of the buffer if the buffer is full, or enlarges the buffer.</summary>
    private void MakeRoom()
    {
        if (end < received.Length)
        {
            return;
        }

        var target = start == 0 ? new byte[received.Length * 2] : received;
        received.AsSpan(start, end - start).CopyTo(target);
        received = target;
        checkedEnd -= start;
        end -= start;
        start = 0;
    }

    /// <summary>Checks the received data up to the first incomplete header frame.</summary>
    private void Check()
    {
        while (checkedEnd < end)
        {
            if (passesUnchecked)
            {
                checkedEnd = end;
                return;
            }

            var available = end - checkedEnd;
            if (uncheckedFrameBytes > 0)
            {
                var passed = (int)Math.Min(uncheckedFrameBytes, available);
                checkedEnd += passed;
                uncheckedFrameBytes -= passed;
                continue;
            }

            if (available < PayloadOffset)
            {
                return;
            }

            var type = received[checkedEnd];
            if (type is not (MethodFrame or HeaderFrame or BodyFrame or HeartbeatFrame))
            {
                passesUnchecked = true;
                continue;
            }

            var length = BinaryPrimitives.ReadUInt32BigEndian(received.AsSpan(checkedEnd + LengthOffset));
            if (type != HeaderFrame || length > MaxHeaderFrame)
            {
                uncheckedFrameBytes = FrameOverhead + (long)length;
                continue;
            }

            if (available < FrameOverhead + (int)length)
            {
                return;
            }

            checkedEnd += FrameOverhead + Repair((int)length);
        }
    }

    /// <summary>Checks the header frame that begins at the current position, and replaces it if necessary.</summary>
    /// <param name="length">The length of its payload.</param>
    /// <returns>The length of its payload afterwards.</returns>
    private int Repair(int length)
    {
        var payloadStart = checkedEnd + PayloadOffset;
        var repaired = RabbitMqHeaderCheck.Repair(received.AsSpan(payloadStart, length));
        if (repaired is null)
        {
            return length;
        }

        // The marker of the removed field may be longer than the field itself.
        var growth = repaired.Length - length;
        var afterPayload = received.AsSpan(payloadStart + length, end - payloadStart - length);
        var target = end + growth > received.Length ? new byte[end + growth] : received;
        afterPayload.CopyTo(target.AsSpan(payloadStart + repaired.Length));
        if (target != received)
        {
            received.AsSpan(0, payloadStart).CopyTo(target);
            received = target;
        }

        repaired.CopyTo(received, payloadStart);
        BinaryPrimitives.WriteInt32BigEndian(received.AsSpan(checkedEnd + LengthOffset), repaired.Length);
        end += growth;
        return repaired.Length;
    }
}
