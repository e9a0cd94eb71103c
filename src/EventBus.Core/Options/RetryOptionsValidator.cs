using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of retries against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class RetryOptionsValidator : IValidateOptions<RetryOptions>;
