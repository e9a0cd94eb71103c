namespace EventBus;

/// <summary>
/// Limits the attempts of an event whose earlier attempts did not end: each may have ended its process.
/// </summary>
internal sealed class RedeliveryLimit(RetryPolicy retry)
{
    // The maximum number of concurrent attempts, after the first one, that are not counted. Without a maximum, an event
    // that always ends its process during concurrent attempts would never become a dead letter.
    private const int MaxExcused = 3;

    /// <summary>
    /// True if an attempt is within the allowed number. The second attempt always is: the first delivery may have been
    /// only buffered.
    /// </summary>
    /// <remarks>
    /// Of the earlier concurrent attempts, the first counts, because this event may have ended the process. From then
    /// on it runs alone: another event begins only after this one has run for a long time, so the other one more
    /// probably ended the process.
    /// </remarks>
    /// <param name="attempt">The number of the attempt.</param>
    /// <param name="concurrent">The number of earlier attempts that were concurrent.</param>
    public bool Allows(int attempt, int concurrent)
    {
        var countedAttempts = attempt - Math.Clamp(concurrent - 1, 0, MaxExcused);
        return countedAttempts <= 2 || retry.Allows(countedAttempts - 1);
    }

    /// <summary>
    /// True if the next attempt must run alone: after the process has ended during a concurrent attempt, or when it is
    /// the last attempt. It must be certain which event ends the process.
    /// </summary>
    public bool MustRunAlone(int earlierAttempts, int concurrent) => concurrent > 0 || !Allows(earlierAttempts + 2, concurrent);

    /// <summary>Creates the failure of an event that has used up its attempts.</summary>
    public static Rejected Exceeded(int attempts) =>
        new(new Rejection(
            DeadLetterReason.ProcessEnded,
            $"The process ended {attempts} times while the handler ran, or was stopped without notice. The event is not attempted again. "
                + "Find the cause: a stack overflow, lack of memory, a native crash."));
}
