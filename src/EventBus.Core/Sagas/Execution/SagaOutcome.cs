using System.Text.Json;

namespace EventBus;

/// <summary>How a run of a step ended.</summary>
/// <param name="State">The state as the step left it, when there is no error.</param>
/// <param name="Error">What went wrong; null for nothing.</param>
internal readonly record struct SagaOutcome(JsonElement State, Exception? Error)
{
    /// <summary>The bus stops: neither success nor failure.</summary>
    public static SagaOutcome Interrupted { get; } = new(default, null) { IsInterrupted = true };

    public bool IsInterrupted { get; private init; }

    /// <summary>The error comes from the step. That its time is over, or that its result cannot be kept, is no answer of a service.</summary>
    public bool IsAnswer { get; init; }
}
