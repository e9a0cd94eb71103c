using EventBus.RabbitMq.Tests;

namespace EventBus;

/// <summary>A proxy in front of the test broker, with the address for a transport.</summary>
internal sealed partial class TcpProxy
{
    public TcpProxy()
        : this(TestBroker.Uri.Port)
    {
    }

    public Uri Uri => new UriBuilder(TestBroker.Uri) { Host = "127.0.0.1", Port = Port }.Uri;
}
