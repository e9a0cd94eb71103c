namespace EventBus.Stores;

/// <summary>
/// Contains the number of attempts of an event that may have ended its process, and the number of those for which
/// another event may be the cause.
/// </summary>
/// <param name="Attempts">The number of attempts, including the first one, which is not counted when it begins.</param>
/// <param name="Concurrent">
/// The number of these attempts during which another redelivered event, whose earlier attempt may have ended the
/// process, ran in the same process.
/// </param>
public readonly record struct AttemptCount(int Attempts, int Concurrent);
