using EventBus.Stores;

namespace EventBus;

/// <summary>Recognizes entries whose last attempt ended with its process, although they were settled since.</summary>
internal static class InterruptedAttempts
{
    /// <summary>
    /// True if the last attempt before this claim is not among the failed ones: its process ended, and then the entry
    /// was stored to wait for the claim of that process (<see cref="ClaimedElsewhere"/>).
    /// </summary>
    /// <param name="entry">
    /// A claimed entry of a <see cref="KeyedFailureStore"/>; its attempts include the next one.
    /// </param>
    public static bool Precede(FailedEvent entry) =>
        !entry.WasInterrupted && entry.Attempts - 1 > (entry.History.Count > 0 ? entry.History[^1].Attempt : 0);

    /// <summary>Returns the entry as if its claim had been taken over: its next attempt is not counted yet.</summary>
    /// <param name="entry">The claimed entry.</param>
    public static FailedEvent Restore(FailedEvent entry) => entry with { Attempts = entry.Attempts - 1, WasInterrupted = true };
}
