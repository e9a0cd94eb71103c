using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EventBus;

/// <summary>
/// A TCP proxy between a client and a server of this machine that can close, delay and discard connections.
/// </summary>
internal sealed partial class TcpProxy : IAsyncDisposable
{
    private readonly int server;
    private readonly TcpListener listener;
    private readonly ConcurrentDictionary<Connection, bool> connections = new();
    private readonly Task accepting;
    private TaskCompletionSource sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="server">The port of the server.</param>
    /// <param name="port">The port of the proxy; 0, the default, for any free one.</param>
    public TcpProxy(int server, int port = 0)
    {
        this.server = server;
        listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = AcceptAsync();
    }

    /// <summary>The port that clients connect to.</summary>
    public int Port { get; }

    /// <summary>The direction from clients to the server.</summary>
    public TcpProxyDirection ToServer { get; } = new();

    /// <summary>The direction from the server to clients.</summary>
    public TcpProxyDirection ToClient { get; } = new();

    /// <summary>True to discard the answers of the server.</summary>
    public bool Mute
    {
        get => ToClient.Mode == TcpProxyMode.Discard;
        set => ToClient.Mode = value ? TcpProxyMode.Discard : TcpProxyMode.Pass;
    }

    /// <summary>True to close new connections at once.</summary>
    public bool Refuse { get; set; }

    /// <summary>Sets the treatment of the bytes in both directions.</summary>
    public TcpProxyMode Mode
    {
        set => (ToServer.Mode, ToClient.Mode) = (value, value);
    }

    /// <summary>Completes when the next bytes were sent to the server.</summary>
    public Task NextSend()
    {
        sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return sent.Task;
    }

    /// <summary>Resets each connection (RST).</summary>
    public void Sever()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Reset();
        }
    }

    /// <summary>Ends each connection as if both sides had closed it (FIN).</summary>
    public void Finish()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Finish();
        }
    }

    /// <summary>
    /// Drops the state of each connection, like a network whose translation table is full: the data of these
    /// connections is discarded from now on, without an error.
    /// </summary>
    public void Drop()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Drop();
        }
    }

    /// <summary>
    /// Closes the dropped connections at the server only, like a server that missed their heartbeats. The clients get
    /// no notice.
    /// </summary>
    public void CloseDroppedAtServer()
    {
        foreach (var connection in connections.Keys)
        {
            connection.CloseAtServerIfDropped();
        }
    }

    /// <summary>
    /// True if a client has sent a text over an open connection. The case of letters is ignored.
    /// </summary>
    public bool HasSent(string text) => connections.Keys.Any(connection => connection.HasSent(text));

    /// <summary>Drops the connections through which a client has sent a text. The case of letters is ignored.</summary>
    /// <returns>The number of dropped connections.</returns>
    public int DropConnectionsThatSent(string text) => DropWhere(connection => connection.HasSent(text));

    /// <summary>Drops the connections through which no client has sent a text.</summary>
    /// <returns>The number of dropped connections.</returns>
    public int DropConnectionsThatNeverSent(string text) => DropWhere(connection => !connection.HasSent(text));

    private int DropWhere(Func<Connection, bool> isMeant)
    {
        var found = connections.Keys.Where(isMeant).ToArray();
        foreach (var connection in found)
        {
            connection.Drop();
        }

        return found.Length;
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        Sever();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        listener.Dispose();

        // Resets the connections that were accepted in the meantime.
        Sever();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await listener.AcceptSocketAsync();
            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var connection = new Connection(client);
        connections[connection] = true;
        try
        {
            if (Refuse)
            {
                connection.Reset();
                return;
            }

            await connection.Server.ConnectAsync(IPAddress.Loopback, server);
            var toServer = connection.PumpAsync(client, connection.Server, ToServer, bytes =>
            {
                connection.RecordSent(bytes.Span);
                sent.TrySetResult();
            });
            var toClient = connection.PumpAsync(connection.Server, client, ToClient, _ => { });
            await await Task.WhenAny(toServer, toClient);
            await Task.WhenAll(toServer, toClient);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One direction was reset, or the server is not reachable. Both directions end.
            connection.Reset();
        }
        finally
        {
            connections.TryRemove(connection, out _);
        }
    }

    /// <summary>A connection of a client, and its connection to the server.</summary>
    private sealed class Connection(Socket client) : IDisposable
    {
        // The number of bytes of the client that are kept.
        private const int MaxRecorded = 65_536;

        private readonly CancellationTokenSource closed = new();
        private readonly StringBuilder sentText = new();
        private volatile bool dropped;

        public Socket Server { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        /// <summary>Forwards the bytes of one side until that side ends.</summary>
        public async Task PumpAsync(Socket from, Socket to, TcpProxyDirection direction, Action<ReadOnlyMemory<byte>> passed)
        {
            var (buffer, discards) = (new byte[16_384], false);
            while (true)
            {
                await direction.WhenReadableAsync(closed.Token);
                if (await from.ReceiveAsync(buffer, closed.Token) is var count && count == 0)
                {
                    if (!dropped)
                    {
                        to.Shutdown(SocketShutdown.Send);
                    }

                    return;
                }

                // Checked again: the connection may have been stalled after the bytes arrived.
                await direction.WhenReadableAsync(closed.Token);
                await direction.DelayAsync(count, closed.Token);

                // A connection that has lost bytes is unusable: it stays silent until it is reset.
                discards |= dropped || direction.Mode == TcpProxyMode.Discard;
                if (discards)
                {
                    continue;
                }

                var admitted = direction.Admit(count, out var last);
                await to.SendAsync(buffer.AsMemory(0, admitted), closed.Token);
                passed(buffer.AsMemory(0, admitted));
                if (last)
                {
                    Reset();
                }
            }
        }

        public void RecordSent(ReadOnlySpan<byte> bytes)
        {
            lock (sentText)
            {
                if (sentText.Length < MaxRecorded)
                {
                    sentText.Append(Encoding.Latin1.GetString(bytes));
                }
            }
        }

        public bool HasSent(string text)
        {
            lock (sentText)
            {
                return sentText.ToString().Contains(text, StringComparison.OrdinalIgnoreCase);
            }
        }

        public void Drop() => dropped = true;

        public void CloseAtServerIfDropped()
        {
            if (dropped)
            {
                Try(Server, socket => socket.Shutdown(SocketShutdown.Send));
            }
        }

        public void Finish() => Each(socket => socket.Shutdown(SocketShutdown.Send));

        public void Reset()
        {
            Each(socket =>
            {
                socket.LingerState = new LingerOption(true, 0);
                socket.Dispose();
            });
            closed.Cancel();
        }

        public void Dispose()
        {
            client.Dispose();
            Server.Dispose();
        }

        private void Each(Action<Socket> action)
        {
            Try(client, action);
            Try(Server, action);
        }

        private static void Try(Socket socket, Action<Socket> action)
        {
            try
            {
                action(socket);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // The socket is closed, or not open yet.
            }
        }
    }
}
