using Confluent.Kafka;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the settings of the clients: what the delivery promises need cannot be changed.</summary>
public sealed class KafkaClientSettingsTests
{
    [Fact]
    public void ForProducer_Defaults_LoseNothingAndKeepTheOrder()
    {
        var config = new KafkaClientSettings(Options().ConfigureClient(client => client.Acks = Acks.None)).ForProducer();

        Assert.Equal(
            (true, Acks.All, Partitioner.Murmur2Random, 0.0, false),
            (config.EnableIdempotence, config.Acks, config.Partitioner, config.LingerMs, config.AllowAutoCreateTopics));
    }

    [Fact]
    public void ForConsumer_Classic_StoresItsOwnOffsetsAndNeverResets()
    {
        var config = new KafkaClientSettings(Options()).ForConsumer("g", 16);

        Assert.Equal(
            ("g", true, false, AutoOffsetReset.Error, PartitionAssignmentStrategy.CooperativeSticky, 45_000),
            (config.GroupId, config.EnableAutoCommit, config.EnableAutoOffsetStore, config.AutoOffsetReset,
                config.PartitionAssignmentStrategy, config.SessionTimeoutMs));
    }

    [Fact]
    public void ForConsumer_OfKip848_HasNoSettingThatTheBrokerDecides()
    {
        var options = Options();
        options.GroupProtocol = KafkaGroupProtocol.Consumer;

        var config = new KafkaClientSettings(options).ForConsumer("g", 16);

        Assert.Equal(GroupProtocol.Consumer, config.GroupProtocol);
        Assert.Null(config.SessionTimeoutMs);
        Assert.Null(config.HeartbeatIntervalMs);
        Assert.Null(config.PartitionAssignmentStrategy);
    }

    [Fact]
    public void ForConsumer_PollIntervalBelowTheSession_IsRaisedToIt()
    {
        var options = Options();
        (options.SessionTimeout, options.MaxPollInterval) = (TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(2));

        Assert.Equal(6_000, new KafkaClientSettings(options).ForConsumer("g", 1).MaxPollIntervalMs);
    }

    [Fact]
    public void ForEachClient_SilentConnection_IsAbandonedBeforeTheSessionAndTheCallEnd()
    {
        var options = Options();
        (options.SessionTimeout, options.CallTimeout) = (TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(5));
        var settings = new KafkaClientSettings(options);

        Assert.Equal(
            (20_000, 4_000, 5_000),
            (settings.ForProducer().SocketTimeoutMs, settings.ForConsumer("g", 1).SocketTimeoutMs, settings.ForAdmin().SocketTimeoutMs));
        Assert.Equal(20_000, new KafkaClientSettings(Options()).ForConsumer("g", 1).SocketTimeoutMs);
    }

    [Fact]
    public void ForEachClient_SocketTimeoutOfTheApplication_IsKept()
    {
        var settings = new KafkaClientSettings(Options().ConfigureClient(client => client.SocketTimeoutMs = 50_000));

        Assert.Equal(
            (50_000, 50_000),
            (settings.ForProducer().SocketTimeoutMs, settings.ForConsumer("g", 1).SocketTimeoutMs));
    }

    [Fact]
    public void ForEachClient_SettingsOfTheApplication_AreCopied()
    {
        var registered = new ClientConfig { BootstrapServers = "a:1", SaslPassword = "s3cret" };
        var settings = new KafkaClientSettings(new KafkaOptions(), registered);

        var config = settings.ForAdmin();
        config.SaslPassword = "other";

        Assert.Equal("a:1", settings.Address);
        Assert.Equal("s3cret", settings.ForProducer().SaslPassword);
        Assert.Equal("s3cret", registered.SaslPassword);
        Assert.Null(registered.AllowAutoCreateTopics);
    }

    [Fact]
    public void Clients_WithTheseSettings_AreAccepted()
    {
        var options = Options();
        var settings = new KafkaClientSettings(options);
        using var producer = new ProducerBuilder<byte[], byte[]>(settings.ForProducer()).SetLogHandler((_, _) => { }).Build();
        using var admin = new AdminClientBuilder(settings.ForAdmin()).SetLogHandler((_, _) => { }).Build();
        using var classic = new ConsumerBuilder<byte[], byte[]>(settings.ForConsumer("g", 16)).SetLogHandler((_, _) => { }).Build();
        options.GroupProtocol = KafkaGroupProtocol.Consumer;
        using var other = new ConsumerBuilder<byte[], byte[]>(settings.ForConsumer("g", 16)).SetLogHandler((_, _) => { }).Build();

        Assert.NotNull(producer.Name);
    }

    private static KafkaOptions Options() => new() { ConnectionString = "localhost:1" };
}
