namespace EventBus.Kafka.Tests;

/// <summary>
/// The collection of the conformance suites, with a broker that they may restart. Other tests with a private broker use
/// another one, so that both collections run in parallel.
/// </summary>
[CollectionDefinition]
public sealed class ConformanceBrokerCollection : ICollectionFixture<PrivateBroker>;
