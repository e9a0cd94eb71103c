using System.Text.Json;

namespace EventBus;

/// <summary>Holds the result of an attempt of a step.</summary>
/// <param name="State">The state after the step. Not set if there is an error or the attempt was interrupted.</param>
/// <param name="Error">The error; null for none.</param>
internal readonly record struct SagaOutcome(JsonElement State, Exception? Error)
{
    /// <summary>The result of an attempt that a stop of the bus interrupted: neither a success nor a failure.</summary>
    public static SagaOutcome Interrupted { get; } = new(default, null) { IsInterrupted = true };

    /// <summary>True if a stop of the bus interrupted the attempt.</summary>
    public bool IsInterrupted { get; private init; }

    /// <summary>
    /// True if the step itself threw the error, which may then mean that the attempt had no effect. False for a timeout
    /// and for a state that cannot be stored: they do not exclude an effect.
    /// </summary>
    public bool IsFromStep { get; init; }
}
