using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace EventBus.Proof;

/// <summary>
/// A minimal AMQP 0-9-1 client over a socket that publishes and consumes. It can write what other clients refuse, and
/// decodes nothing that it receives.
/// </summary>
internal sealed class AmqpSocket : IAsyncDisposable
{
    /// <summary>The maximum size of the properties of a message, in bytes.</summary>
    public const int MostProperties = FrameMax - 64;

    private const int FrameMax = 131_072;
    private const int FrameEnd = 0xCE;
    private const int HeaderLength = 7;
    private const byte Method = 1;
    private const byte Header = 2;
    private const byte Body = 3;
    private const int Basic = 60;

    private readonly TcpClient client;
    private readonly NetworkStream stream;
    private readonly SemaphoreSlim writing = new(1);
    private readonly Lock gate = new();
    private readonly Dictionary<ulong, TaskCompletionSource<bool>> unconfirmed = [];
    private readonly Channel<(int Class, int Id, byte[] Payload)> answers = Channel.CreateUnbounded<(int, int, byte[])>();
    private Task reading = Task.CompletedTask;
    private Action<byte[], byte[]>? delivered;
    private readonly MemoryStream body = new();
    private byte[] properties = [];
    private ulong missing;
    private ulong lastTag;
    private bool closed;

    private AmqpSocket(TcpClient client) => (this.client, stream) = (client, client.GetStream());

    /// <summary>The reason for which the broker closed the connection; null while it is open.</summary>
    public string? Reason { get; private set; }

    public static async Task<AmqpSocket> ConnectAsync(Uri address)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(address.Host, address.Port);
        var socket = new AmqpSocket(client);
        await socket.stream.WriteAsync((byte[])[.. "AMQP"u8, 0, 0, 9, 1]);
        socket.reading = socket.ReadAsync();
        await socket.ExpectAsync(10, 10);
        var login = Encoding.UTF8.GetBytes($"\0{Uri.UnescapeDataString(address.UserInfo.Replace(':', '\0'))}");
        await socket.CallAsync(0, 10, 11, [0, 0, 0, 0, .. Short("PLAIN"u8), .. Long(login), .. Short("en_US"u8)]);
        await socket.ExpectAsync(10, 30);
        await socket.CallAsync(0, 10, 31, [0, 8, .. UInt32(FrameMax), 0, 0]);
        await socket.CallAsync(0, 10, 40, [.. Short("/"u8), 0, 0]);
        await socket.ExpectAsync(10, 41);
        await socket.CallAsync(1, 20, 10, [0]);
        await socket.ExpectAsync(20, 11);
        await socket.CallAsync(1, 85, 10, [0]);
        await socket.ExpectAsync(85, 11);
        return socket;
    }

    /// <summary>Publishes a message with any properties.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="routingKey">The routing key, at most 255 bytes.</param>
    /// <param name="properties">The flags and the properties in the wire format.</param>
    /// <param name="body">The body.</param>
    /// <returns>True if the broker accepted it; false if it refused it or closed the connection.</returns>
    public async Task<bool> PublishAsync(string exchange, byte[] routingKey, byte[] properties, byte[] body)
    {
        using var buffer = new MemoryStream();
        Write(
            buffer,
            Method,
            1,
            [.. UInt16(Basic), .. UInt16(40), 0, 0, .. Short(Encoding.UTF8.GetBytes(exchange)), .. Short(routingKey), 1]);
        Write(buffer, Header, 1, [.. UInt16(Basic), 0, 0, .. UInt64((ulong)body.Length), .. properties]);
        for (var start = 0; start < body.Length; start += FrameMax - 8)
        {
            Write(buffer, Body, 1, body.AsSpan(start, Math.Min(FrameMax - 8, body.Length - start)));
        }

        var confirmed = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await writing.WaitAsync();
        try
        {
            lock (gate)
            {
                if (closed)
                {
                    return false;
                }

                unconfirmed.Add(++lastTag, confirmed);
            }

            await stream.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            writing.Release();
        }

        return await confirmed.Task;
    }

    /// <summary>Consumes and removes all messages of a queue. Properties and bodies are passed unchanged.</summary>
    public async Task ConsumeAsync(string queue, Action<byte[], byte[]> deliver)
    {
        delivered = deliver;
        await CallAsync(1, Basic, 20, [0, 0, .. Short(Encoding.UTF8.GetBytes(queue)), 0, 2, 0, 0, 0, 0]);
        await ExpectAsync(Basic, 21);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await reading;
        writing.Dispose();
    }

    public static byte[] Short(ReadOnlySpan<byte> text) => [(byte)Math.Min(255, text.Length), .. text[..Math.Min(255, text.Length)]];

    public static byte[] Long(ReadOnlySpan<byte> text) => [.. UInt32((uint)text.Length), .. text];

    public static byte[] UInt16(int value) => [(byte)(value >> 8), (byte)value];

    public static byte[] UInt32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    public static byte[] UInt64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }

    private static void Write(MemoryStream buffer, byte type, int channel, ReadOnlySpan<byte> payload)
    {
        buffer.WriteByte(type);
        buffer.Write(UInt16(channel));
        buffer.Write(UInt32((uint)payload.Length));
        buffer.Write(payload);
        buffer.WriteByte(FrameEnd);
    }

    private async Task CallAsync(int channel, int classId, int id, byte[] arguments)
    {
        using var buffer = new MemoryStream();
        Write(buffer, Method, channel, [.. UInt16(classId), .. UInt16(id), .. arguments]);
        await writing.WaitAsync();
        try
        {
            await stream.WriteAsync(buffer.ToArray());
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task ExpectAsync(int classId, int id)
    {
        var answer = await answers.Reader.ReadAsync();
        if (answer.Class != classId || answer.Id != id)
        {
            throw new ProofException($"RabbitMQ answered {answer.Class}.{answer.Id} instead of {classId}.{id}.");
        }
    }

    private async Task ReadAsync()
    {
        var head = new byte[HeaderLength];
        try
        {
            while (true)
            {
                await stream.ReadExactlyAsync(head);
                var type = head[0];
                var payload = new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(3))];
                await stream.ReadExactlyAsync(payload);
                await stream.ReadExactlyAsync(head.AsMemory(0, 1));
                switch (type)
                {
                    case Method:
                        Take(
                            BinaryPrimitives.ReadUInt16BigEndian(payload),
                            BinaryPrimitives.ReadUInt16BigEndian(payload.AsSpan(2)),
                            payload[4..]);
                        break;
                    case Header:
                        (properties, missing) = (payload[12..], BinaryPrimitives.ReadUInt64BigEndian(payload.AsSpan(4)));
                        body.SetLength(0);
                        Deliver();
                        break;
                    case Body:
                        body.Write(payload);
                        missing -= (ulong)payload.Length;
                        Deliver();
                        break;
                    default:
                        break;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            End(exception.Message);
        }
    }

    private void Deliver()
    {
        if (missing == 0)
        {
            delivered?.Invoke(properties, body.ToArray());
        }
    }

    private void Take(int classId, int id, byte[] arguments)
    {
        switch (classId, id)
        {
            case (Basic, 80) or (Basic, 120):
                Confirm(BinaryPrimitives.ReadUInt64BigEndian(arguments), multiple: (arguments[8] & 1) != 0, accepted: id == 80);
                break;
            case (Basic, 50):
                End("A message was routed to no queue.");
                break;
            case (Basic, 60):
                break;
            case (10, 50) or (20, 40):
                End($"{BinaryPrimitives.ReadUInt16BigEndian(arguments)} {Encoding.UTF8.GetString(arguments.AsSpan(3, arguments[2]))}");
                client.Close();
                break;
            default:
                answers.Writer.TryWrite((classId, id, arguments));
                break;
        }
    }

    private void Confirm(ulong tag, bool multiple, bool accepted)
    {
        lock (gate)
        {
            foreach (var each in multiple ? unconfirmed.Keys.Where(each => each <= tag).ToList() : [tag])
            {
                if (unconfirmed.Remove(each, out var confirmed))
                {
                    confirmed.SetResult(accepted);
                }
            }
        }
    }

    private void End(string reason)
    {
        lock (gate)
        {
            (closed, Reason) = (true, Reason ?? reason);
            foreach (var confirmed in unconfirmed.Values)
            {
                confirmed.SetResult(false);
            }

            unconfirmed.Clear();
        }

        answers.Writer.TryComplete(new ProofException($"RabbitMQ closed the connection: {reason}"));
    }
}
