using EventBus.Transports;

namespace EventBus;

/// <summary>Completes the outcomes after a call of the transport has thrown.</summary>
internal static class MissingOutcomes
{
    /// <summary>
    /// Sets the outcomes that the transport has not written. Their default value already means in doubt; this adds the
    /// reason.
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
