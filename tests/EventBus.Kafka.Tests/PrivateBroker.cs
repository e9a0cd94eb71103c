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
        Certificate = TestCertificate.Create(folder.FullName);
        Node = new KafkaNode(Path.Combine(folder.FullName, "node"), Canary.Password, Certificate.File);
        Proxy = Node.NewProxy();
    }

    internal KafkaNode Node { get; }

    internal TcpProxy Proxy { get; }

    /// <summary>The certificate of the port with TLS.</summary>
    internal TestCertificate Certificate { get; }

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
