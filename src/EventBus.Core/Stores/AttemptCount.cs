namespace EventBus.Stores;

/// <summary>How often an event was started, and how many of those starts are not certain to be its own fault.</summary>
/// <param name="Attempts">The starts, including the first one, which is not counted when it is made.</param>
/// <param name="Concurrent">Those of them during which another event that may have ended its process ran in the same process.</param>
public readonly record struct AttemptCount(int Attempts, int Concurrent);
