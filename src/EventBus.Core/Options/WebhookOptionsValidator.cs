using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="WebhookOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class WebhookOptionsValidator : IValidateOptions<WebhookOptions>;
