using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Saves the progress of leased sagas in the store by compare-and-swap, and merges the replies that other instances
/// have added meanwhile. Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="lease">The duration of a lease, which every save renews.</param>
/// <param name="services">The clock and the log.</param>
/// <param name="closing">Cancelled when the bus closes.</param>
internal sealed class LeasedSagaStore(SagaStore store, TimeSpan lease, BusServices services, CancellationToken closing)
{
    /// <summary>Saves the progress, and repeats the save after a conflict with another write.</summary>
    /// <param name="leased">The saga.</param>
    /// <param name="createEntry">
    /// Creates the entry to save from the progress, the last saved entry and the new end of the lease. Its content is
    /// set afterwards.
    /// </param>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it: nothing was changed.</exception>
    public async Task SaveAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> createEntry)
    {
        while (true)
        {
            var now = services.StoreTime.GetUtcNow();
            var leaseEnd = now + lease;
            var entry = createEntry(leased.Progress, leased.Entry, leaseEnd) with { ChangedAt = now, Content = leased.Progress.Write() };
            if (await store.SaveAsync(entry, closing))
            {
                leased.Entry = entry with { Version = entry.Version + 1 };
                leased.LeaseEnd = leaseEnd;
                return;
            }

            var current = await store.FindAsync(leased.Id, closing);
            if (current is null || current.Claim != leased.Entry.Claim)
            {
                leased.Lose();
                throw new SagaLeaseLostException();
            }

            if (current.Content.Span.SequenceEqual(entry.Content.Span))
            {
                // An earlier attempt has saved the saga, but its answer was lost. The stored entry may be newer,
                // because its alert may have been claimed since then.
                leased.Entry = current;
                leased.LeaseEnd = current.DueAt ?? leaseEnd;
                return;
            }

            MergeReplies(leased, current, entry.WaitKey);
        }
    }

    /// <summary>
    /// Merges the replies of the stored entry into the progress. Nothing else can have changed, because an instance
    /// without the lease only adds replies. A reply belongs to the step that was active when it arrived, not to the
    /// step that this write begins.
    /// </summary>
    private void MergeReplies(LeasedSaga leased, SagaEntry current, string? waitKey)
    {
        leased.Entry = leased.Entry with { Version = current.Version };
        var stored = SagaProgress.Read(current.Content, out _);
        var added = stored?.Inbox.FindAll(reply => !leased.Progress.HasReceived(reply.EventId)) ?? [];
        foreach (var reply in added)
        {
            if (leased.Progress.IsForActiveStep(reply, waitKey))
            {
                leased.Progress.Inbox.Add(reply);
            }
            else
            {
                leased.Progress.Forget(reply);
                SagaReplies.Ignore(reply, leased.Definition.Name, leased.Id, services);
            }
        }
    }
}
