using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// A broker that tests may restart, and whose resources they may limit. Its tests run one after another.
/// </summary>
public sealed class PrivateBroker : IAsyncLifetime
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-rabbitmq-");

    public PrivateBroker() => Node = new RabbitMqNode(Path.Combine(folder.FullName, "node"), FreePort.Next(), Canary.Password);

    internal RabbitMqNode Node { get; }

    internal Uri Uri => Node.AddressAt(Node.Port);

    public async ValueTask InitializeAsync() => await Node.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        folder.Delete(recursive: true);
    }
}
