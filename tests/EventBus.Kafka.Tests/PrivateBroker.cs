using EventBus.Conformance;

namespace EventBus.Kafka.Tests;

/// <summary>
/// A broker that tests may kill, restart and suspend, and the proxy to it. Its tests run one after another.
/// </summary>
public sealed class PrivateBroker : IAsyncLifetime
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-kafka-");

    public PrivateBroker()
    {
        Node = new KafkaNode(Path.Combine(folder.FullName, "node"), Canary.Password);
        Proxy = Node.NewProxy();
    }

    internal KafkaNode Node { get; }

    internal TcpProxy Proxy { get; }

    public async ValueTask InitializeAsync()
    {
        // Without Kafka its tests are skipped, each with the reason.
        if (TestBroker.Missing is null)
        {
            await Node.StartAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await Node.DisposeAsync();
        folder.Delete(recursive: true);
    }
}
