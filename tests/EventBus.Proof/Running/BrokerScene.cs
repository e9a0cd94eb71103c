namespace EventBus.Proof;

/// <summary>The targets of faults.</summary>
/// <param name="Stage">The broker.</param>
/// <param name="Proxy">The proxy to it.</param>
/// <param name="Word">The first word of the names of the events.</param>
/// <param name="Subscription">The subscription, with the name of its application.</param>
internal sealed record BrokerScene(Stage Stage, TcpProxy Proxy, string Word, string Subscription)
{
    public PrivateBroker Broker => Stage.Broker;

    public PrivateRedis Redis => Stage.Redis;

    public PrivateRabbitMq RabbitMq => Stage.RabbitMq;

    public PrivateKafka Kafka => Stage.Kafka;

    public Random Random => Stage.Random;
}
