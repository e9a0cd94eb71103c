using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks <see cref="EventBusOptions"/> against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class EventBusOptionsValidator : IValidateOptions<EventBusOptions>;
