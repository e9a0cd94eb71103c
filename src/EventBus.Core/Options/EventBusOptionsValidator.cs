using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of a bus against the limits that its properties declare.</summary>
[OptionsValidator]
internal sealed partial class EventBusOptionsValidator : IValidateOptions<EventBusOptions>;
