using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="SubscriptionOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class SubscriptionOptionsValidator : IValidateOptions<SubscriptionOptions>;
