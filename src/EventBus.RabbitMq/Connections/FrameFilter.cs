using System.Buffers.Binary;

namespace EventBus;

/// <summary>
/// Buffers the data that the broker sends. Removes header fields that would make the client fail, and adds a marker
/// instead (<see cref="RabbitMqHeaderCheck"/>). Only content headers are checked; all other data passes unchanged.
/// </summary>
internal sealed class FrameFilter
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

    /// <summary>True if there is checked data that the client has not read.</summary>
    public bool HasChecked => checkedEnd > start;

    /// <summary>Takes as much checked data as fits into the target.</summary>
    public int TakeChecked(Span<byte> target)
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

    /// <summary>
    /// Gets the free part of the buffer, for <see cref="Add"/>. Moves the data to the beginning of the buffer if the
    /// buffer is full, or enlarges the buffer.
    /// </summary>
    public Memory<byte> MakeRoom()
    {
        if (end < received.Length)
        {
            return received.AsMemory(end);
        }

        var target = start == 0 ? new byte[received.Length * 2] : received;
        received.AsSpan(start, end - start).CopyTo(target);
        received = target;
        checkedEnd -= start;
        end -= start;
        start = 0;
        return received.AsMemory(end);
    }

    /// <summary>Adds the data that was written to the memory of <see cref="MakeRoom"/>.</summary>
    /// <param name="count">The number of bytes.</param>
    /// <returns>True if the data is exactly one heartbeat frame.</returns>
    public bool Add(int count)
    {
        var beginsFrame = checkedEnd == end && uncheckedFrameBytes == 0 && !passesUnchecked;
        var isHeartbeat = beginsFrame && count == FrameOverhead && received[end] == HeartbeatFrame;
        end += count;
        return isHeartbeat;
    }

    /// <summary>Lets the remaining data pass after the stream has ended, possibly in the middle of a frame.</summary>
    public void PassUnchecked() => passesUnchecked = true;

    /// <summary>Checks the received data up to the first incomplete header frame.</summary>
    public void Check()
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
