using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="RetryOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class RetryOptionsValidator : IValidateOptions<RetryOptions>;
