namespace EventBus.Proof;

/// <summary>A fault, and the time until a new event was handled after it.</summary>
/// <param name="Fault">The name of the fault.</param>
/// <param name="Recovery">
/// The time from the broker's first answer to a separate client until a new event was handled; null if none was.
/// </param>
/// <param name="EndedAt">
/// The time at which the round ended, on the clock of the journals; 0 if it does not matter.
/// </param>
internal readonly record struct FaultRound(string Fault, TimeSpan? Recovery, long EndedAt = 0);
