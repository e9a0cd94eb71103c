using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace EventBus.RabbitMq.Tests;

/// <summary>A wire that can be cut: stands between a transport and the broker.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Socket, bool> sockets = new();
    private readonly Task accepting;
    private TaskCompletionSource sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TcpProxy()
    {
        listener.Start();
        Uri = new UriBuilder(TestBroker.Uri) { Host = "127.0.0.1", Port = ((IPEndPoint)listener.LocalEndpoint).Port }.Uri;
        accepting = AcceptAsync();
    }

    public Uri Uri { get; }

    /// <summary>What the broker answers is thrown away.</summary>
    public bool Mute { get; set; }

    /// <summary>New connections are closed at once.</summary>
    public bool Refuse { get; set; }

    /// <summary>Completes when the next bytes have gone to the broker.</summary>
    public Task NextSend()
    {
        sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return sent.Task;
    }

    /// <summary>Resets every connection.</summary>
    public void Sever()
    {
        foreach (var socket in sockets.Keys)
        {
            Reset(socket);
        }
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        Sever();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await listener.AcceptSocketAsync();
            if (Refuse)
            {
                Reset(client);
                continue;
            }

            var broker = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            sockets[client] = sockets[broker] = true;
            await broker.ConnectAsync(IPAddress.Loopback, TestBroker.Uri.Port);
            _ = PumpAsync(client, broker, toBroker: true);
            _ = PumpAsync(broker, client, toBroker: false);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool toBroker)
    {
        var buffer = new byte[16_384];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var count)
            {
                if (toBroker || !Mute)
                {
                    await to.SendAsync(buffer.AsMemory(0, count));
                }

                if (toBroker)
                {
                    sent.TrySetResult();
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Cut.
        }

        Reset(from);
        Reset(to);
    }

    private void Reset(Socket socket)
    {
        sockets.TryRemove(socket, out _);
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Closed already.
        }

        socket.Dispose();
    }
}
