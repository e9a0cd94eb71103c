using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Saves the status of a leased saga: a new status, a release until a due time, or that it needs attention.
/// </summary>
internal sealed class SagaStateWriter(
    SagaDefinition definition,
    SagaTransitions transitions,
    SagaRepository repository,
    SagaNotifier notifier,
    BusServices services)
{
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>
    /// Changes the progress, saves it with the resulting status, and measures how long the saga had the previous
    /// status.
    /// </summary>
    public async Task ChangeStatusAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaStatus> transition)
    {
        var previous = leased.Entry.Status;
        var previousSince = leased.Progress.StatusSince;
        var now = time.GetUtcNow();
        var status = previous;
        await repository.SaveAsync(
            leased,
            progress =>
            {
                status = transition(progress, leased.Entry, now);

                // This instance keeps the saga until nothing is left to do: no step and no event to send.
                var isDone = SagaTransitions.IsEnd(status) && progress.Outbox.Count == 0;
                progress.Held = status != SagaStatus.NeedsAttention && !isDone;
            },
            (progress, entry, leaseEnd) => transitions.WithStatus(entry, status, progress, now) with
            {
                DueAt = progress.Held ? leaseEnd : null,
                AlertAt = status == SagaStatus.NeedsAttention ? notifier.AlertAt(now) : null,
                WaitKey = progress.Active() is { Status: SagaStepStatus.Waiting } ? entry.WaitKey : null,
            });
        if (status != previous)
        {
            SagaTelemetry.StatusChanged(services.Diagnostics, definition.Name, previous, status, now - previousSince);
            if (SagaTransitions.IsEnd(status))
            {
                services.Log.SagaEnded(definition.Name, leased.Id, status.ToString());
            }
        }
    }

    /// <summary>
    /// Saves that the active step begins, before it runs. If another instance has claimed the saga meanwhile, this save
    /// fails.
    /// </summary>
    public Task BeginAsync(LeasedSaga leased, SagaStepProgress active) =>
        repository.SaveAsync(leased, _ => active.Begun = true, static (_, entry, leaseEnd) => entry with { DueAt = leaseEnd });

    /// <summary>
    /// Saves that the active step begins, and the key of the reply that it will wait for, so that even an early reply
    /// finds the saga. Removes early replies to another key.
    /// </summary>
    /// <param name="leased">The saga.</param>
    /// <param name="active">The active step.</param>
    /// <param name="waitKey">The key; null if replies find the saga by its id.</param>
    public Task BeginWithWaitKeyAsync(LeasedSaga leased, SagaStepProgress active, string? waitKey) => repository.SaveAsync(
        leased,
        progress =>
        {
            active.Begun = true;
            progress.Inbox.FindAll(early => !progress.IsForActiveStep(early, waitKey)).ForEach(progress.Forget);
        },
        (_, entry, leaseEnd) => entry with { DueAt = leaseEnd, WaitKey = waitKey });

    /// <summary>Releases the saga to another instance between two steps.</summary>
    public Task ReleaseAsync(LeasedSaga leased) => ReleaseUntilAsync(leased, ClearBegun, time.GetUtcNow());

    /// <summary>
    /// Releases the saga to another instance when a stop of the bus interrupts a step: the attempt is not counted, and
    /// may have had an effect.
    /// </summary>
    public Task ReleaseDuringStepAsync(LeasedSaga leased, SagaStepProgress active) => ReleaseUntilAsync(
        leased,
        progress =>
        {
            active.CutOff();
            progress.AddHistory(time.GetUtcNow(), active.Name, "interrupted by a stop");
        },
        time.GetUtcNow());

    /// <summary>Changes the saga and ends its lease. At the due time any instance continues it.</summary>
    public Task ReleaseUntilAsync(LeasedSaga leased, Action<SagaProgress> change, DateTimeOffset dueAt) =>
        ReleaseUntilAsync(leased, change, _ => dueAt);

    /// <summary>Changes the saga and ends its lease. At the due time any instance continues it.</summary>
    /// <param name="leased">The saga.</param>
    /// <param name="change">Changes the progress.</param>
    /// <param name="dueAt">Gets the due time from the changed progress; null if nothing is due.</param>
    public async Task ReleaseUntilAsync(LeasedSaga leased, Action<SagaProgress> change, Func<SagaProgress, DateTimeOffset?> dueAt)
    {
        await repository.SaveAsync(
            leased,
            progress =>
            {
                change(progress);
                progress.Held = false;
            },

            // The status stays. An ended saga whose events are now sent gets the end of its retention.
            (progress, entry, _) => transitions.WithStatus(entry, entry.Status, progress, time.GetUtcNow()) with
            {
                DueAt = dueAt(progress),
            });
        notifier.ReportDue();
    }

    /// <summary>Reports the end of the saga to the callers that wait for it.</summary>
    public void ReportEnd(LeasedSaga leased) => notifier.ReportEnd(leased.Id);

    /// <summary>Marks the saga as needing attention and raises an alert.</summary>
    public Task HaltAsync(LeasedSaga leased, string reason, Exception? error, Action<SagaProgress, DateTimeOffset>? recordFailure = null)
    {
        var step = leased.Progress.Active()?.Name;
        return notifier.RaiseAsync(
            async () =>
            {
                await ChangeStatusAsync(leased, (progress, entry, now) =>
                {
                    recordFailure?.Invoke(progress, now);
                    return transitions.Halt(progress, reason, now);
                });
                var shownBy = notifier.ShownBy(leased.Id, definition.Name);
                services.Log.SagaNeedsAttention(definition.Name, leased.Id, step, shownBy, reason, error);
                return true;
            },
            leased.Id);
    }

    /// <summary>
    /// Records that the active step has not begun. A transition saves its next step as begun already, and this instance
    /// will not run it now.
    /// </summary>
    public static void ClearBegun(SagaProgress progress)
    {
        if (progress.Active() is { } active)
        {
            active.Begun = false;
        }
    }
}
