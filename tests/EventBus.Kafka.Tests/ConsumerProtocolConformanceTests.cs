namespace EventBus.Kafka.Tests;

[NeedsBroker, Collection(typeof(VariantBrokerCollection))]
public sealed class ConsumerProtocolConformanceTests(ConsumerProtocolBackend backend)
    : GroupVariantTests(backend), IClassFixture<ConsumerProtocolBackend>;
