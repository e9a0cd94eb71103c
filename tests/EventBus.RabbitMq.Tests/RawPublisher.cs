using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Publishes over a plain socket, with header bytes that a test chooses and that no client would write.
/// </summary>
internal static class RawPublisher
{
    private const byte Method = 1;
    private const byte Heartbeat = 8;
    private const byte Header = 2;
    private const byte Body = 3;
    private const byte EndOfFrame = 0xCE;

    /// <summary>Publishes a message, and returns when the broker has accepted it.</summary>
    /// <param name="broker">The broker.</param>
    /// <param name="exchange">The exchange.</param>
    /// <param name="routingKey">The routing key.</param>
    /// <param name="headers">The entries of the header table.</param>
    /// <param name="body">The body; it must fit into a frame.</param>
    public static async Task PublishAsync(Uri broker, string exchange, string routingKey, IEnumerable<byte[]> headers, string body)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(broker.Host, broker.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync("AMQP\0\0\x09\x01"u8.ToArray());
        await ExpectAsync(stream, 10, 10);
        var login = broker.UserInfo.Split(':').Select(Uri.UnescapeDataString).ToArray();
        await SendAsync(stream, Method, 0, [
            .. Id(10, 11),
            .. Long([]),
            .. Short("PLAIN"),
            .. Long(Encoding.UTF8.GetBytes($"\0{login[0]}\0{login[1]}")),
            .. Short("en_US")
        ]);
        var tune = await ExpectAsync(stream, 10, 30);
        await SendAsync(stream, Method, 0, [.. Id(10, 31), .. tune[4..]]);
        await SendAsync(stream, Method, 0, [.. Id(10, 40), .. Short("/"), 0, 0]);
        await ExpectAsync(stream, 10, 41);
        await SendAsync(stream, Method, 1, [.. Id(20, 10), 0]);
        await ExpectAsync(stream, 20, 11);

        byte[] content = Encoding.UTF8.GetBytes(body);
        await SendAsync(stream, Method, 1, [.. Id(60, 40), 0, 0, .. Short(exchange), .. Short(routingKey), 0]);
        await SendAsync(
            stream,
            Header,
            1,
            [.. Id(60, 0), 0, 0, 0, 0, .. Length(content.Length), 0x20, 0, .. Long([.. headers.SelectMany(entry => entry)])]);
        await SendAsync(stream, Body, 1, content);
        await SendAsync(stream, Method, 1, [.. Id(20, 40), 0, 200, 0, 0, 0, 0, 0]);
        await ExpectAsync(stream, 20, 41);
    }

    /// <summary>Returns an entry of a table: its name, its type and the bytes of its value.</summary>
    public static byte[] Entry(string name, char type, params byte[] value) => [.. Short(name), (byte)type, .. value];

    public static byte[] Text(string name, string value) => Entry(name, 'S', Long(Encoding.UTF8.GetBytes(value)));

    /// <summary>Returns the length in four bytes, followed by the bytes.</summary>
    public static byte[] Long(byte[] value) => [.. Length(value.Length), .. value];

    /// <summary>Returns an entry with nested arrays.</summary>
    public static byte[] Nested(string name, int depth)
    {
        const int Each = 1 + sizeof(uint);
        var value = new byte[depth * Each];
        for (var level = 0; level < depth; level++)
        {
            value[level * Each] = (byte)'A';
            BinaryPrimitives.WriteInt32BigEndian(value.AsSpan((level * Each) + 1), (depth - level - 1) * Each);
        }

        return Entry(name, 'A', value[1..]);
    }

    private static byte[] Short(string text) => [(byte)Encoding.UTF8.GetByteCount(text), .. Encoding.UTF8.GetBytes(text)];

    private static byte[] Length(int length)
    {
        var bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        return bytes;
    }

    private static byte[] Id(byte type, byte method) => [0, type, 0, method];

    private static async Task SendAsync(NetworkStream stream, byte type, byte channel, byte[] payload) =>
        await stream.WriteAsync((byte[])[type, 0, channel, .. Length(payload.Length), .. payload, EndOfFrame]);

    private static async Task<byte[]> ExpectAsync(NetworkStream stream, byte type, byte method)
    {
        var start = new byte[7];
        byte[] payload;
        do
        {
            await stream.ReadExactlyAsync(start);
            var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(start.AsSpan(3)) + 1];
            await stream.ReadExactlyAsync(frame);
            payload = frame[..^1];
        }
        while (start[0] == Heartbeat);

        return payload[1] == type && payload[3] == method ? payload : throw new InvalidOperationException(
            $"The broker answered with the method {payload[1]}.{payload[3]} instead of {type}.{method}: "
                + $"{Encoding.ASCII.GetString(payload[4..])}");
    }
}
