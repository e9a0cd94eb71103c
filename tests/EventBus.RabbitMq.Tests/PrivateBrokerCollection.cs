namespace EventBus.RabbitMq.Tests;

[CollectionDefinition]
public sealed class PrivateBrokerCollection : ICollectionFixture<PrivateBroker>;
