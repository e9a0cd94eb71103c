using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus.Proof;

/// <summary>A private Kafka broker, with a raw consumer that shows when records arrive again after a fault.</summary>
/// <param name="folder">The folder of its files.</param>
/// <param name="overrides">Settings of the broker, each like <c>name=value</c>; null for none.</param>
internal sealed class PrivateKafka(string folder, IReadOnlyList<string>? overrides = null) : PrivateBroker
{
    private const short ApiVersions = 18;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly KafkaNode node = new(folder, password: null) { Overrides = overrides ?? [] };

    private IAdminClient? admin;
    private KafkaWitness? witness;
    private KafkaPositions? positions;

    /// <summary>True if Kafka is on this machine.</summary>
    public static bool IsInstalled => KafkaFiles.IsInstalled;

    /// <summary>The version of Kafka; empty if it is not on this machine.</summary>
    public static string Version => KafkaFiles.Version;

    public override int Port => node.PlainPort;

    public override int ProcessId => node.ProcessId;

    public string Address => node.PlainAddress;

    /// <summary>A client of the harness, on the broker's own port.</summary>
    public IAdminClient Admin => admin ?? throw new ProofException("The broker was not started.");

    public override async Task StartAsync()
    {
        await node.StartAsync();
        admin ??= new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Address })
            .SetLogHandler((_, _) => { })
            .Build();
    }

    public override Task KillAsync() => node.KillAsync();

    public override TcpProxy NewProxy() => node.NewProxy();

    public override VictimSettings Direct(VictimSettings settings, int port) => settings with { Kafka = $"127.0.0.1:{port}" };

    /// <summary>Starts the raw consumer, over the same connection as the victims.</summary>
    public override async Task WatchAsync(int port)
    {
        witness = new KafkaWitness(Address, $"127.0.0.1:{port}");
        await witness.StartAsync(Admin);
    }

    /// <summary>
    /// Completes when the broker has answered a request; or, if there is a raw consumer, when a record has arrived that
    /// was written after the call.
    /// </summary>
    public override async Task HandshakeAsync(int port, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);

        // Length, request, version 0, correlation id, no client id.
        var request = new byte[14];
        BinaryPrimitives.WriteInt32BigEndian(request, request.Length - sizeof(int));
        BinaryPrimitives.WriteInt16BigEndian(request.AsSpan(4), ApiVersions);
        BinaryPrimitives.WriteInt16BigEndian(request.AsSpan(12), -1);
        await socket.SendAsync(request, cancellationToken);
        if (await socket.ReceiveAsync(new byte[64], cancellationToken) == 0)
        {
            throw new IOException("Kafka closed the connection.");
        }

        if (witness is not null)
        {
            await witness.NextAsync(cancellationToken);
        }
    }

    /// <summary>Returns true if a group has committed the end of each partition of the topic.</summary>
    public override async Task<bool> IsIdleAsync(string word, string subscription)
    {
        try
        {
            return await HasCommittedAllAsync(word, subscription);
        }
        catch (KafkaException)
        {
            // The broker is not ready after a fault. The question is asked again.
            return false;
        }
    }

    /// <summary>Deletes all records of a topic.</summary>
    public async Task DeleteRecordsAsync(string word) => await Admin.DeleteRecordsAsync(
        await EndsAsync(KafkaGroups.TopicOf(word)),
        new DeleteRecordsOptions { RequestTimeout = Patience });

    /// <summary>
    /// Writes foreign records in transactions, one of which is aborted: what a subscription reads then has gaps.
    /// </summary>
    public void WriteGaps(string word)
    {
        using var producer = new ProducerBuilder<Null, byte[]>(
            new ProducerConfig { BootstrapServers = Address, TransactionalId = $"gaps-{word}" }).SetLogHandler((_, _) => { }).Build();
        producer.InitTransactions(Patience);
        foreach (var commits in (bool[])[false, true])
        {
            producer.BeginTransaction();
            producer.Produce(KafkaGroups.TopicOf(word), new Message<Null, byte[]> { Value = [] });
            producer.Flush(Patience);
            if (commits)
            {
                producer.CommitTransaction(Patience);
            }
            else
            {
                producer.AbortTransaction(Patience);
            }
        }
    }

    /// <summary>
    /// Adds a member to a group for a time: the partitions are assigned twice. It handles and commits nothing.
    /// </summary>
    public async Task JoinAsync(string word, string subscription, VictimSettings settings, TimeSpan time)
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = Address,
            GroupId = KafkaGroups.GroupOf(subscription),
            EnableAutoCommit = false,
            AutoOffsetReset = AutoOffsetReset.Error,
        };
        KafkaGroups.Configure(config, settings);
        using var member = new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).Build();
        member.Subscribe(KafkaGroups.TopicOf(word));
        var until = TimeProvider.System.GetUtcNow() + time;
        while (TimeProvider.System.GetUtcNow() < until)
        {
            member.Consume(TimeSpan.Zero);
            await RealTime.PassAsync(TimeSpan.FromMilliseconds(20));
        }

        member.Close();
    }

    public override async ValueTask DisposeAsync()
    {
        if (witness is not null)
        {
            await witness.DisposeAsync();
        }

        positions?.Dispose();
        admin?.Dispose();
        await node.DisposeAsync();
    }

    private async Task<bool> HasCommittedAllAsync(string word, string subscription)
    {
        positions ??= new KafkaPositions(Address);
        var ends = await EndsAsync(KafkaGroups.TopicOf(word));
        var committed = await positions.ReadAsync(KafkaGroups.GroupOf(subscription), [.. ends.Select(end => end.TopicPartition)]);
        return ends.All(end => end.Offset == 0 || committed.GetValueOrDefault(end.TopicPartition) >= end.Offset);
    }

    private async Task<List<TopicPartitionOffset>> EndsAsync(string topic)
    {
        var partitions = Admin.GetMetadata(topic, Patience).Topics[0].Partitions;
        var found = await Admin.ListOffsetsAsync(
            partitions.Select(partition => new TopicPartitionOffsetSpec
            {
                TopicPartition = new TopicPartition(topic, partition.PartitionId),
                OffsetSpec = OffsetSpec.Latest(),
            }),
            new ListOffsetsOptions { RequestTimeout = Patience });
        return [.. found.ResultInfos.Select(info => info.TopicPartitionOffsetError.TopicPartitionOffset)];
    }
}
