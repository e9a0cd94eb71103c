using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EventBus;

/// <summary>
/// A TCP proxy between a client and a server of this machine that can close, delay and discard connections. Shared by
/// the tests of every backend with a server.
/// </summary>
internal sealed partial class TcpProxy : IAsyncDisposable
{
    private readonly int server;
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Connection, bool> connections = new();
    private readonly Task accepting;
    private TaskCompletionSource sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="server">The port of the server.</param>
    public TcpProxy(int server)
    {
        this.server = server;
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

    /// <summary>True if the answers of the server are discarded.</summary>
    public bool Mute
    {
        get => ToClient.Mode == TcpProxyMode.Discard;
        set => ToClient.Mode = value ? TcpProxyMode.Discard : TcpProxyMode.Pass;
    }

    /// <summary>New connections are closed at once.</summary>
    public bool Refuse { get; set; }

    /// <summary>Sets what happens in both directions.</summary>
    public TcpProxyMode Mode
    {
        set => (ToServer.Mode, ToClient.Mode) = (value, value);
    }

    /// <summary>Completes when the next bytes have gone to the server.</summary>
    public Task NextSend()
    {
        sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return sent.Task;
    }

    /// <summary>Resets every connection (RST).</summary>
    public void Sever()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Reset();
        }
    }

    /// <summary>Ends every connection as if both sides had closed it (FIN).</summary>
    public void Finish()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Finish();
        }
    }

    /// <summary>
    /// Drops the state of every connection, as a network does whose translation table is full: their data is discarded
    /// from now on, without an error.
    /// </summary>
    public void Forget()
    {
        foreach (var connection in connections.Keys)
        {
            connection.Forget();
        }
    }

    /// <summary>
    /// Ends the forgotten connections at the server only, as the server does itself when it has missed their
    /// heartbeats. The clients learn nothing.
    /// </summary>
    public void EndForgottenAtServer()
    {
        foreach (var connection in connections.Keys)
        {
            connection.EndAtServerIfForgotten();
        }
    }

    /// <summary>
    /// Forgets the connections through which a client has said something that holds a text, in any case of its letters.
    /// </summary>
    /// <returns>How many there are.</returns>
    public int ForgetThoseThatSaid(string text)
    {
        var found = connections.Keys.Where(connection => connection.HasSaid(text)).ToArray();
        foreach (var connection in found)
        {
            connection.Forget();
        }

        return found.Length;
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        Sever();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        listener.Dispose();

        // What was accepted meanwhile.
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
            var said = connection.PumpAsync(client, connection.Server, ToServer, bytes =>
            {
                connection.Said(bytes.Span);
                sent.TrySetResult();
            });
            var answered = connection.PumpAsync(connection.Server, client, ToClient, _ => { });
            await await Task.WhenAny(said, answered);
            await Task.WhenAll(said, answered);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Cut, or the server is not there: the other direction ends too.
            connection.Reset();
        }
        finally
        {
            connections.TryRemove(connection, out _);
        }
    }

    /// <summary>One connection of a client, and the one to the server that belongs to it.</summary>
    private sealed class Connection(Socket client) : IDisposable
    {
        // So much of what a client says is remembered.
        private const int Remembered = 65_536;

        private readonly CancellationTokenSource cut = new();
        private readonly StringBuilder said = new();
        private volatile bool forgotten;

        public Socket Server { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        /// <summary>Carries what one side says, until it has said all.</summary>
        public async Task PumpAsync(Socket from, Socket to, TcpProxyDirection direction, Action<ReadOnlyMemory<byte>> passed)
        {
            var (buffer, dark) = (new byte[16_384], false);
            while (true)
            {
                await direction.MayReadAsync(cut.Token);
                if (await from.ReceiveAsync(buffer, cut.Token) is var count && count == 0)
                {
                    if (!forgotten)
                    {
                        to.Shutdown(SocketShutdown.Send);
                    }

                    return;
                }

                // Asked again: the bytes may have come after the connection was stalled.
                await direction.MayReadAsync(cut.Token);
                await direction.TravelAsync(count, cut.Token);

                // A connection that has lost bytes is unusable: it stays silent until it is cut.
                dark |= forgotten || direction.Mode == TcpProxyMode.Discard;
                if (dark)
                {
                    continue;
                }

                var admitted = direction.Admit(count, out var last);
                await to.SendAsync(buffer.AsMemory(0, admitted), cut.Token);
                passed(buffer.AsMemory(0, admitted));
                if (last)
                {
                    Reset();
                }
            }
        }

        public void Said(ReadOnlySpan<byte> bytes)
        {
            lock (said)
            {
                if (said.Length < Remembered)
                {
                    said.Append(Encoding.Latin1.GetString(bytes));
                }
            }
        }

        public bool HasSaid(string text)
        {
            lock (said)
            {
                return said.ToString().Contains(text, StringComparison.OrdinalIgnoreCase);
            }
        }

        public void Forget() => forgotten = true;

        public void EndAtServerIfForgotten()
        {
            if (forgotten)
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
            cut.Cancel();
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
                // Closed already, or not open yet.
            }
        }
    }
}
