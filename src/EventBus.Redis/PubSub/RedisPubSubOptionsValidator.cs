using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of the Redis Pub/Sub backend against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class RedisPubSubOptionsValidator : IValidateOptions<RedisPubSubOptions>;
