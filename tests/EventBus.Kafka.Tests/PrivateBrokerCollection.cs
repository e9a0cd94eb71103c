namespace EventBus.Kafka.Tests;

[CollectionDefinition]
public sealed class PrivateBrokerCollection : ICollectionFixture<PrivateBroker>;
