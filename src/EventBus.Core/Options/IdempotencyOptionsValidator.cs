using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="IdempotencyOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class IdempotencyOptionsValidator : IValidateOptions<IdempotencyOptions>;
