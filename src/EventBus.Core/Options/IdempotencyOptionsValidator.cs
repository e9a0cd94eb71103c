using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of an idempotent subscription against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class IdempotencyOptionsValidator : IValidateOptions<IdempotencyOptions>;
