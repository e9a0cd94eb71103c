namespace EventBus.Kafka.Tests;

/// <summary>The collection of the suites of the other group protocols, with a broker that they may restart.</summary>
[CollectionDefinition]
public sealed class VariantBrokerCollection : ICollectionFixture<PrivateBroker>;
