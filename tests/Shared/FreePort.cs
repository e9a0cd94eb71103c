using System.Net;
using System.Net.Sockets;

namespace EventBus;

/// <summary>Finds unused loopback ports, for tests that start their own servers.</summary>
internal static class FreePort
{
    // Below the range of ephemeral ports: while a killed server is down, a client that tries to connect to it must not
    // get the same port as its local port.
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
                // The port is in use.
            }
        }
    }
}
