namespace EventBus.Proof;

/// <summary>One fault, and how long after it a fresh event got through again.</summary>
/// <param name="Fault">What it was.</param>
/// <param name="Recovery">
/// The time from the broker's first answer to a client of its own until a fresh event was handled; null if none was.
/// </param>
internal readonly record struct FaultRound(string Fault, TimeSpan? Recovery);
