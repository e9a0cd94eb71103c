using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of the Kafka backend against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class KafkaOptionsValidator : IValidateOptions<KafkaOptions>;
