using System.Net;
using System.Net.Sockets;

namespace EventBus;

/// <summary>Finds unused loopback ports. Shared by the tests that start their own servers.</summary>
internal static class FreePort
{
    // Below the range from which outgoing connections get theirs: while a killed server is down, a client that tries to
    // reach it must not take its port.
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
