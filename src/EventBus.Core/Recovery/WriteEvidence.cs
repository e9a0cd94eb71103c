namespace EventBus;

/// <summary>
/// Collects the evidence that a write and not the store is at fault: the write failed, and the store accepted a probe
/// before and after it.
/// </summary>
internal sealed class WriteEvidence(TimeProvider time)
{
    // The number of times in a row that the write must fail between two probes that the store accepts.
    private const int Proofs = 4;

    private static readonly TimeSpan OutageSpan = TimeSpan.FromSeconds(30);

    private int clear;
    private int outages;
    private long since = time.GetTimestamp();

    /// <summary>
    /// True if the evidence is sufficient. Timeouts and lost connections count only when the store has answered for
    /// some time.
    /// </summary>
    public bool Suffices => clear >= Proofs || (clear + outages >= Proofs && time.GetElapsedTime(since) >= OutageSpan);

    /// <summary>Adds a failure of the write that happened between two successful probes.</summary>
    /// <param name="isOutage">True if the write failed with a timeout or a lost connection.</param>
    /// <param name="ofWhole">True for the complete write. Timeouts are no evidence against a reduced form.</param>
    public void Add(bool isOutage, bool ofWhole)
    {
        if (!isOutage)
        {
            clear++;
        }
        else if (ofWhole)
        {
            outages++;
        }
    }

    /// <summary>Resets the counts, because the next form needs its own proof.</summary>
    public void Next() => (clear, outages) = (0, 0);

    public void Reset() => (clear, outages, since) = (0, 0, time.GetTimestamp());
}
