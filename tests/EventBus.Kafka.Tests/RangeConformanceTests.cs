namespace EventBus.Kafka.Tests;

[NeedsBroker, Collection(typeof(VariantBrokerCollection))]
public sealed class RangeConformanceTests(RangeBackend backend) : GroupVariantTests(backend), IClassFixture<RangeBackend>;
