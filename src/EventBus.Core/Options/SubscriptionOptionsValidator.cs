using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of a subscription against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class SubscriptionOptionsValidator : IValidateOptions<SubscriptionOptions>;
