using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Checks the options of the in-memory backend against the limits that the properties declare.</summary>
[OptionsValidator]
internal sealed partial class InMemoryOptionsValidator : IValidateOptions<InMemoryOptions>;
