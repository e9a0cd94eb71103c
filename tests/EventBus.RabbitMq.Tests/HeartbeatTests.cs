using System.Net;
using System.Net.Sockets;
using Xunit;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests which received bytes count as a sign of life of a connection.</summary>
public sealed class HeartbeatTests
{
    private static readonly byte[] Heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];

    // A method frame with a payload of one byte.
    private static readonly byte[] Method = [1, 0, 1, 0, 0, 0, 1, 7, 0xCE];

    [Fact]
    public async Task Heartbeat_Alone_IsNoSignOfLife()
    {
        Assert.Equal(0, await CountAsync(Heartbeat, Heartbeat));
    }

    [Fact]
    public async Task Frame_OfAnyOtherKind_IsASignOfLife()
    {
        Assert.Equal(Method.Length, await CountAsync(Heartbeat, Method, Heartbeat));
    }

    /// <summary>
    /// Half of a frame that happens to look like a heartbeat is a fragment of an answer on a slow connection.
    /// </summary>
    [Fact]
    public async Task Fragment_ThatLooksLikeAHeartbeat_IsASignOfLife()
    {
        byte[] frame = [3, 0, 1, 0, 0, 0, 8, .. Heartbeat, 0xCE];

        Assert.Equal(frame.Length, await CountAsync(frame[..7], frame[7..15], frame[15..]));
    }

    /// <summary>Sends fragments one at a time through a stream, and returns the number of counted bytes.</summary>
    private static async Task<long> CountAsync(params byte[][] pieces)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint, cancel);
        using var server = await listener.AcceptTcpClientAsync(cancel);
        var traffic = new ConnectionTraffic();
        await using var stream = new RabbitMqGuardedStream(client.Client, client.GetStream(), traffic);
        var target = new byte[64];
        foreach (var piece in pieces)
        {
            await server.GetStream().WriteAsync(piece, cancel);
            for (var read = 0; read < piece.Length;)
            {
                read += await stream.ReadAsync(target, cancel).AsTask().WaitAsync(TestBroker.Patience, cancel);
            }
        }

        return traffic.Bytes;
    }
}
