using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Holds the parts of a bus that its sagas use.</summary>
internal sealed record SagaEnvironment
{
    public required Publisher Publisher { get; init; }

    public required EventRegistry Events { get; init; }

    public required IServiceScopeFactory Scopes { get; init; }

    public required IReadOnlyList<IDeadLetterNotifier> Alerts { get; init; }

    public required AlertSettings AlertSettings { get; init; }

    /// <summary>Cancelled when the bus closes, after its handlers and steps were cancelled.</summary>
    public required CancellationToken Closing { get; init; }
}
