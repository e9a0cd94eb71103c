using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of a webhook against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class WebhookOptionsValidator : IValidateOptions<WebhookOptions>;
