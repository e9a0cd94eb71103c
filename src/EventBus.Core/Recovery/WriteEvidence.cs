namespace EventBus;

/// <summary>
/// Collects the evidence that a write and not the store is at fault: the write failed several times in a row, and each
/// time the store accepted a probe before and after it.
/// </summary>
internal sealed class WriteEvidence(TimeProvider time)
{
    // The number of times in a row that the write must fail between two probes that the store accepts.
    private const int RequiredFailures = 4;

    // The time for which every probe must have succeeded before timeouts and lost connections count.
    private static readonly TimeSpan OutageSpan = TimeSpan.FromSeconds(30);

    private int otherFailures;
    private int outageFailures;
    private long restartedAt = time.GetTimestamp();

    /// <summary>True if the evidence is sufficient.</summary>
    public bool IsSufficient =>
        otherFailures >= RequiredFailures
        || (otherFailures + outageFailures >= RequiredFailures && time.GetElapsedTime(restartedAt) >= OutageSpan);

    /// <summary>Adds a failure of the write that happened between two successful probes.</summary>
    /// <param name="isOutage">True if the write failed with a timeout or a lost connection.</param>
    /// <param name="isComplete">
    /// True for the complete form. Timeouts and lost connections are no evidence against a reduced form.
    /// </param>
    public void Add(bool isOutage, bool isComplete)
    {
        if (!isOutage)
        {
            otherFailures++;
        }
        else if (isComplete)
        {
            outageFailures++;
        }
    }

    /// <summary>Resets the counts, because the next form needs its own evidence.</summary>
    public void ResetCounts()
    {
        otherFailures = 0;
        outageFailures = 0;
    }

    /// <summary>Discards all evidence, because the store itself had a problem.</summary>
    public void Restart()
    {
        ResetCounts();
        restartedAt = time.GetTimestamp();
    }
}
