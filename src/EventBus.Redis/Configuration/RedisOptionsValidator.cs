using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of the Redis Streams backend against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class RedisOptionsValidator : IValidateOptions<RedisOptions>;
