using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Sagas;

/// <summary>The state of the tested sagas.</summary>
internal sealed record Trip(string Traveller)
{
    public List<string> Done { get; init; } = [];
}
