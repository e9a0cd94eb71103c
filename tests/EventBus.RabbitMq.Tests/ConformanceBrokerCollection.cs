namespace EventBus.RabbitMq.Tests;

/// <summary>
/// The conformance suites on a broker that they may restart. It is not the broker of the other tests that need their
/// own, so that both run at the same time.
/// </summary>
[CollectionDefinition]
public sealed class ConformanceBrokerCollection : ICollectionFixture<PrivateBroker>;
