using System.Text.Json;

namespace EventBus;

/// <summary>The result of an attempt of a step.</summary>
/// <param name="State">The state after the step, if there is no error.</param>
/// <param name="Error">The error; null for none.</param>
internal readonly record struct SagaOutcome(JsonElement State, Exception? Error)
{
    /// <summary>The result of an attempt that a stop of the bus interrupted: neither a success nor a failure.</summary>
    public static SagaOutcome Interrupted { get; } = new(default, null) { IsInterrupted = true };

    public bool IsInterrupted { get; private init; }

    /// <summary>
    /// True if the step itself threw the error, so that the error may say that there was no effect. False for a timeout
    /// and for a state that cannot be stored, which say nothing about the effect.
    /// </summary>
    public bool IsFromStep { get; init; }
}
