using EventBus.Transports;

namespace EventBus;

/// <summary>Completes the outcomes of a call of the transport that has thrown.</summary>
internal static class MissingOutcomes
{
    /// <summary>
    /// Sets the outcomes that the transport has not written. Such events are in doubt by default; this adds the reason.
    /// </summary>
    /// <param name="outcomes">The outcomes of the events.</param>
    /// <param name="exception">The exception that the transport has thrown.</param>
    public static void Fill(Span<PublishOutcome> outcomes, Exception exception)
    {
        foreach (ref var outcome in outcomes)
        {
            if (outcome == default)
            {
                outcome = PublishOutcome.InDoubt(exception);
            }
        }
    }
}
