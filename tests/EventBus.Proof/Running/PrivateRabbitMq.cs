using RabbitMQ.Client;

namespace EventBus.Proof;

/// <summary>A private RabbitMQ node.</summary>
internal sealed class PrivateRabbitMq : PrivateBroker
{
    private readonly RabbitMqNode node;

    public PrivateRabbitMq(string folder) => node = new RabbitMqNode(folder, Port, "proof");

    /// <summary>True if the server is installed on this machine.</summary>
    public static bool IsInstalled => RabbitMqNode.IsInstalled;

    public string Address => node.AddressAt(Port).AbsoluteUri;

    public override int ProcessId => node.ProcessId;

    public override Task StartAsync() => node.StartAsync();

    public override Task KillAsync() => node.KillAsync();

    public override VictimSettings Direct(VictimSettings settings, int port) =>
        settings with { RabbitMq = node.AddressAt(port).AbsoluteUri };

    public override async Task HandshakeAsync(int port, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(port, cancellationToken);
        await connection.CloseAsync(cancellationToken);
    }

    public override async Task<bool> IsIdleAsync(string word, string subscription)
    {
        await using var connection = await ConnectAsync(Port, CancellationToken.None);
        await using var channel = await connection.CreateChannelAsync();

        // AMQP reports only the events that wait for a consumer. The unacknowledged events need a run of rabbitmqctl.
        return await channel.MessageCountAsync(subscription) == 0
            && (await ControlAsync("--silent", "list_queues", "name", "messages")).Contains(
                $"{subscription}\t0\n",
                StringComparison.Ordinal);
    }

    /// <summary>Deletes a queue with its content.</summary>
    public async Task DeleteQueueAsync(string queue)
    {
        await using var connection = await ConnectAsync(Port, CancellationToken.None);
        await using var channel = await connection.CreateChannelAsync();
        await channel.QueueDeleteAsync(queue);
    }

    /// <summary>Runs <c>rabbitmqctl</c> and returns what it printed.</summary>
    public Task<string> ControlAsync(params string[] arguments) => node.ControlAsync(arguments);

    public override ValueTask DisposeAsync() => node.DisposeAsync();

    private Task<IConnection> ConnectAsync(int port, CancellationToken cancellationToken) =>
        new ConnectionFactory { Uri = node.AddressAt(port), AutomaticRecoveryEnabled = false }.CreateConnectionAsync(cancellationToken);
}
