using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Writes the entries of failed events in the most complete form that the store accepts, and reports them. Thread-safe.
/// </summary>
internal sealed class EntryWriter(FailureStoreWriter writer, FailureReporter reporter)
{
    /// <summary>
    /// Records a failed event or completes a handled one. If the store cannot accept that, writes a reduced dead letter
    /// instead (<see cref="ReducedEntry"/>). A dead letter is announced to the alerts before it is written, so that the
    /// bus does not count as idle before its alert is sent.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="failure">The reason of the failure; null if the event was handled.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <returns>The entry in the form that was written.</returns>
    public async Task<FailedEvent> WriteAsync(FailurePolicy policy, FailedEvent entry, Failure? failure, ConcurrencyLimiter slots)
    {
        var announced = 0;
        await using var write = writer.Begin(entry, slots, ReducedEntry.Forms);
        try
        {
            while (true)
            {
                var completes = failure is null && write.Form == 0;
                FailedEvent form;
                bool isNew;
                try
                {
                    form = ReducedEntry.Of(entry, write.Form, policy, reporter.WantsAlerts);
                    if (form.Status == FailedEventStatus.Dead)
                    {
                        reporter.ExpectDeadLetter();
                        announced++;
                    }

                    isNew = await (completes ? CompleteAsync(form) : writer.RecordAsync(form));
                }
                catch (Exception exception)
                {
                    await write.RepeatAsync(exception);
                    continue;
                }

                if (failure is ClaimedElsewhere && form.Status == FailedEventStatus.Waiting)
                {
                    reporter.WaitsForClaim(form);
                }
                else if (!completes)
                {
                    reporter.Recorded(form, isNew, (failure as Threw)?.Exception, LogErrorOf(failure) ?? form.Error);
                }

                return form;
            }
        }
        finally
        {
            for (var i = 0; i < announced; i++)
            {
                reporter.DeadLetterRecorded();
            }
        }
    }

    private async ValueTask<bool> CompleteAsync(FailedEvent entry)
    {
        await writer.CompleteAsync(entry);
        return true;
    }

    /// <summary>
    /// Returns the error for the log, if it differs from that of the entry: that of a rejection, without text from the
    /// message.
    /// </summary>
    private static string? LogErrorOf(Failure? failure) =>
        failure is Rejected rejected && rejected.Rejection.Foreign is not null ? rejected.Rejection.Error : null;
}
