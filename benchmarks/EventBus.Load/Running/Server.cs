using EventBus.Proof;
using RabbitMQ.Client;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>A server for one arena, so that no arena sees the data of an earlier one.</summary>
internal sealed class Server : IAsyncDisposable
{
    // More than a round publishes, so that what is handled is deleted, and what is not handled stays.
    private static readonly string[] KafkaRetention =
    [
        "log.retention.bytes=536870912", "log.segment.bytes=67108864", "log.retention.check.interval.ms=2000",
        "log.segment.delete.delay.ms=1000",
    ];

    private readonly ScratchFolder folder = new();
    private IAsyncDisposable? process;

    private Server()
    {
    }

    /// <summary>The address; empty in memory.</summary>
    public string Address { get; private set; } = "";

    /// <summary>The name and version of the server; null in memory.</summary>
    public string? Name { get; private set; }

    public string Version { get; private set; } = "";

    /// <summary>Returns why a transport is left out on this machine; null if it is measured.</summary>
    public static string? ReasonToSkip(Transport transport) => transport == Transport.Kafka && !PrivateKafka.IsInstalled
        ? "there is no Kafka here. Run ./test Kafka, which downloads it, or name a folder with its jars in libs/ with EVENTBUS_KAFKA"
        : null;

    public static async Task<Server> StartAsync(Transport transport)
    {
        var server = new Server();
        try
        {
            await (transport switch
            {
                Transport.Memory => Task.CompletedTask,
                Transport.RabbitMq or Transport.RabbitMqClassic => server.StartRabbitMqAsync(),
                Transport.Kafka => server.StartKafkaAsync(),
                _ => server.StartRedisAsync(),
            });
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            await process.DisposeAsync();
        }

        folder.Dispose();
    }

    private async Task StartRabbitMqAsync()
    {
        if (!PrivateRabbitMq.IsInstalled)
        {
            throw new InvalidOperationException(
                "rabbitmq-server is not installed. Install it (on Debian and Ubuntu: apt-get install rabbitmq-server), or leave RabbitMQ "
                    + "out.");
        }

        var rabbitMq = new PrivateRabbitMq(Path.Combine(folder.Path, "rabbitmq"));
        process = rabbitMq;
        await rabbitMq.StartAsync();
        (Name, Address) = ("RabbitMQ", rabbitMq.Address);
        await using var connection = await new ConnectionFactory { Uri = new Uri(Address) }.CreateConnectionAsync();
        Version = connection.ServerProperties?["version"] is byte[] version ? System.Text.Encoding.UTF8.GetString(version) : "";
    }

    private async Task StartKafkaAsync()
    {
        var kafka = new PrivateKafka(Path.Combine(folder.Path, "kafka"), KafkaRetention);
        process = kafka;
        await kafka.StartAsync();
        (Name, Address, Version) = ("Kafka", kafka.Address, PrivateKafka.Version);
    }

    private async Task StartRedisAsync()
    {
        var redis = new PrivateRedis(Path.Combine(folder.Path, "redis"));
        process = redis;
        await redis.StartAsync();
        (Name, Address) = ("Redis", redis.Address);
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{Address},allowAdmin=true");

        // The disk of the machine is not compared.
        await admin.GetServers()[0].ConfigSetAsync("appendonly", "no");
        Version = admin.GetServers()[0].Version.ToString();
    }
}
