using System.Net.Sockets;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Notices a wire that swallows everything. The client itself gives such a connection up after four times its time-out; this asks for a sign of life every second, and ends the sockets of a connection that gives none.</summary>
/// <param name="patience">How long a sign of life may take.</param>
internal sealed class RedisWatchdog(TimeSpan patience)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastChance = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private readonly List<Socket> sockets = [];

    /// <summary>Called for each socket that the client is about to connect.</summary>
    public void Add(Socket socket)
    {
        lock (gate)
        {
            sockets.RemoveAll(earlier => earlier.SafeHandle.IsClosed);
            sockets.Add(socket);
        }
    }

    /// <summary>Watches until the connection is closed by this side. Never throws.</summary>
    public async Task RunAsync(ConnectionMultiplexer connection)
    {
        try
        {
            var database = connection.GetDatabase();
            while (true)
            {
                await Task.Delay(Interval, TimeProvider.System);
                var answer = database.PingAsync();
                await WaitAsync(answer, patience);

                // A process that stood still finds the answer and the end of its patience at once.
                await WaitAsync(answer, LastChance);
                if (!answer.IsCompleted)
                {
                    End();
                }
                else if (answer.Exception?.InnerException is ObjectDisposedException)
                {
                    return;
                }
            }
        }
        catch (ObjectDisposedException)
        {
            // Closed.
        }
    }

    private static async Task WaitAsync(Task answer, TimeSpan wait) => await answer.WaitAsync(wait, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>The client sees the end of each socket, and makes others.</summary>
    private void End()
    {
        lock (gate)
        {
            foreach (var socket in sockets)
            {
                try
                {
                    socket.Shutdown(SocketShutdown.Both);
                }
                catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
                {
                    // Closed already, or not connected yet.
                }
            }

            sockets.Clear();
        }
    }
}
