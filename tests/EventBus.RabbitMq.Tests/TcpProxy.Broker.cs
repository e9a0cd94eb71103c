using EventBus.RabbitMq.Tests;

namespace EventBus;

/// <summary>A proxy before the broker of the tests, at the address that a transport is given.</summary>
internal sealed partial class TcpProxy
{
    public TcpProxy()
        : this(TestBroker.Uri.Port)
    {
    }

    public Uri Uri => new UriBuilder(TestBroker.Uri) { Host = "127.0.0.1", Port = Port }.Uri;
}
