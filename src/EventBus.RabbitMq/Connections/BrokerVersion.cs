using System.Text;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Reads the version of the broker, which the broker sends when a connection opens.</summary>
internal static class BrokerVersion
{
    /// <summary>Gets the version of the broker; null if it is unknown.</summary>
    public static Version? Of(IConnection client)
    {
        if (client.ServerProperties is not { } properties
            || !properties.TryGetValue("version", out var value)
            || value is not byte[] text)
        {
            return null;
        }

        // Removes a label after the numbers, as in 4.1.0-rc.1 or 3.13.7+2.
        var numbers = Encoding.ASCII.GetString(text).Split('-', '+')[0];
        return Version.TryParse(numbers, out var version) ? version : null;
    }
}
