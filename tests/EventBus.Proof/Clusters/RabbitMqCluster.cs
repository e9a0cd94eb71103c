using System.Text;
using RabbitMQ.Client;

namespace EventBus.Proof;

/// <summary>
/// A cluster of three RabbitMQ nodes. The node with the leader of the subscription's quorum queue is killed.
/// </summary>
/// <param name="folder">The folder of their files.</param>
/// <param name="exchange">The exchange of the events.</param>
/// <param name="queue">The queue.</param>
/// <param name="eventName">The name of the events in the queue.</param>
internal sealed class RabbitMqCluster(string folder, string exchange, string queue, string eventName) : Cluster
{
    private const int Count = 3;
    private const string Password = "proof";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Attempt = TimeSpan.FromSeconds(1);

    private readonly List<RabbitMqNode> nodes = [];
    private RabbitMqNode? killed;

    public override bool MayLose => false;

    private RabbitMqNode Alive => nodes.First(node => node != killed);

    public override async Task StartAsync()
    {
        for (var i = 0; i < Count; i++)
        {
            var node = new RabbitMqNode(Path.Combine(folder, $"node{i}", "rabbitmq"), FreePort.Next(), Password, nodes.FirstOrDefault());
            nodes.Add(node);
            await node.StartAsync();
            if (i > 0)
            {
                await node.ControlAsync("stop_app");
                await node.ControlAsync("join_cluster", nodes[0].Name);
                await node.ControlAsync("start_app");
            }
        }
    }

    public override VictimSettings Direct(VictimSettings settings) =>
        settings with { RabbitMq = $"amqp://bus:{Password}@{string.Join(',', nodes.Select(node => $"127.0.0.1:{node.Port}"))}" };

    public override async Task KillLeaderAsync()
    {
        var leader = await ColumnAsync("leader");
        killed = nodes.Find(node => node.Name == leader) ?? throw new ProofException($"The queue {queue} is led by '{leader}'.");
        await killed.KillAsync();
    }

    public override async Task<bool> TryWriteAsync(long number)
    {
        var attempts = nodes.Where(node => node != killed).Select(node => TryAsync(node)).ToList();
        return (await Task.WhenAll(attempts)).Contains(true);

        async Task<bool> TryAsync(RabbitMqNode node)
        {
            using var deadline = new CancellationTokenSource(Attempt);
            try
            {
                await using var connection = await new ConnectionFactory
                {
                    Uri = node.AddressAt(node.Port),
                    AutomaticRecoveryEnabled = false
                }.CreateConnectionAsync(deadline.Token);
                await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), deadline.Token);
                await channel.BasicPublishAsync(
                    exchange,
                    eventName,
                    mandatory: true,
                    Encoding.UTF8.GetBytes($$"""{"number":{{number}}}"""),
                    deadline.Token);
                return true;
            }
            catch (Exception exception) when (exception is not ProofException)
            {
                return false;
            }
        }
    }

    public override async Task RestoreAsync()
    {
        await killed!.StartAsync();
        killed = null;
        await Until.TrueAsync("Three members of the queue", Patience, async () => (await ColumnAsync("online")).Split(',').Length == Count);
    }

    public override async Task<bool> IsIdleAsync() => await ColumnAsync("messages") == "0";

    public override async ValueTask DisposeAsync()
    {
        foreach (var node in Enumerable.Reverse(nodes))
        {
            await node.DisposeAsync();
        }
    }

    private async Task<string> ColumnAsync(string name)
    {
        var lines = (await Alive.ControlAsync("--silent", "list_queues", "name", name)).Split('\n');
        return lines.Select(line => line.Split('\t')).FirstOrDefault(columns => columns[0] == queue)?[1].Trim('[', ']', ' ') ?? "";
    }
}
