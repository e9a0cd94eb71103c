namespace EventBus;

/// <summary>
/// Marks a saga as needing attention after an error that no step has caused, so that it is not retried endlessly.
/// </summary>
internal sealed class SagaErrorHandler(
    SagaDefinition definition,
    SagaTransitions transitions,
    SagaRepository repository,
    SagaNotifier notifier,
    BusServices services)
{
    /// <summary>Marks the saga, in the state in which it was last saved, and raises an alert.</summary>
    public Task HaltAsync(LeasedSaga leased, Exception exception)
    {
        var reason = $"The saga could not continue: {ExceptionText.ShortOf(exception)}";
        return notifier.RaiseAsync(
            async () =>
            {
                var isMarked = await HaltWithReasonAsync(leased, reason);
                if (isMarked)
                {
                    var shownBy = notifier.ShownBy(leased.Id, definition.Name);
                    services.Log.SagaNeedsAttention(definition.Name, leased.Id, null, shownBy, reason, exception);
                }

                return isMarked;
            },
            leased.Id);
    }

    private async Task<bool> HaltWithReasonAsync(LeasedSaga leased, string reason)
    {
        try
        {
            return await HaltStoredAsync(leased, (progress, now) =>
            {
                progress.Active()?.CutOff();
                progress.Held = false;
                transitions.Halt(progress, reason, now);
            });
        }
        catch (Exception) when (!repository.Closing.IsCancellationRequested)
        {
            // The store may have no room for the reason, which is also in the log.
            return await HaltStoredAsync(leased, change: null);
        }
    }

    /// <summary>
    /// Marks the stored saga, and not the progress in memory, as needing attention: a failed change may have left the
    /// progress inconsistent.
    /// </summary>
    /// <param name="leased">The saga. Nothing is changed if another instance has claimed it.</param>
    /// <param name="change">Changes the stored progress; null to leave the content of the entry unchanged.</param>
    /// <returns>True if the saga was changed.</returns>
    private async Task<bool> HaltStoredAsync(LeasedSaga leased, Action<SagaProgress, DateTimeOffset>? change)
    {
        var changed = await repository.ChangeAsync(
            leased.Id,
            entry =>
            {
                if (entry.Claim != leased.Entry.Claim
                    || SagaTransitions.IsEnd(entry.Status)
                    || SagaProgress.Read(entry.Content, out _) is not { } progress)
                {
                    return null;
                }

                var now = services.StoreTime.GetUtcNow();
                change?.Invoke(progress, now);
                return transitions.WithStatus(entry, SagaStatus.NeedsAttention, progress, now) with
                {
                    DueAt = null,
                    AlertAt = notifier.AlertAt(now),
                    ChangedAt = now,
                    Content = change is null ? entry.Content : progress.Write(),
                };
            },
            repository.Closing);
        return changed is not null;
    }
}
