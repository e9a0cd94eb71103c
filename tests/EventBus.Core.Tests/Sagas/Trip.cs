using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

/// <summary>The state of the sagas that are tested.</summary>
internal sealed record Trip(string Traveller)
{
    public List<string> Done { get; init; } = [];
}
