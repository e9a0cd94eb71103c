using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="OrderGuardOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class OrderGuardOptionsValidator : IValidateOptions<OrderGuardOptions>;
