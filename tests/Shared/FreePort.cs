using System.Net;
using System.Net.Sockets;

namespace EventBus;

/// <summary>Ports of the loopback that nobody uses. Shared by whatever starts servers of its own.</summary>
internal static class FreePort
{
    // Below the range from which outgoing connections get theirs: while a killed server is away, its port must not be taken by whoever tries to reach it.
    private const int First = 12_000;
    private const int Last = 30_000;

    public static int Next()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, Last);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
