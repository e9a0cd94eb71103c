using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of an order guard against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class OrderGuardOptionsValidator : IValidateOptions<OrderGuardOptions>;
