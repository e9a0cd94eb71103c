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
        var (before, since, now) = (leased.Entry.Status, leased.Progress.StatusSince, time.GetUtcNow());
        var status = before;
        await repository.SaveAsync(
            leased,
            progress =>
            {
                status = transition(progress, leased.Entry, now);
                progress.Held = status != SagaStatus.NeedsAttention && !(SagaTransitions.IsEnd(status) && progress.Outbox.Count == 0);
            },
            (progress, entry, until) => transitions.With(entry, status, progress, now) with
            {
                DueAt = progress.Held ? until : null,
                AlertAt = status == SagaStatus.NeedsAttention ? AlertAt(now) : null,
                WaitKey = progress.Active() is { Status: SagaStepStatus.Waiting } ? entry.WaitKey : null,
            });
        if (status != before)
        {
            SagaTelemetry.StatusChanged(services.Diagnostics, definition.Name, before, status, now - since);
            if (SagaTransitions.IsEnd(status))
            {
                services.Log.SagaEnded(definition.Name, leased.Id, status.ToString());
            }
        }
    }

    /// <summary>
    /// Saves that the active step has begun. If another instance has claimed the saga meanwhile, this save fails.
    /// </summary>
    public Task BeginAsync(LeasedSaga leased, SagaStepProgress active) =>
        repository.SaveAsync(leased, _ => active.Begun = true, static (_, entry, until) => entry with { DueAt = until });

    /// <summary>
    /// Saves the key of the reply that the active step will wait for, before the step runs, so that even an early reply
    /// finds the saga. Removes early replies to another key.
    /// </summary>
    public Task BeginAsync(LeasedSaga leased, SagaStepProgress active, string? waitKey) => repository.SaveAsync(
        leased,
        progress =>
        {
            active.Begun = true;
            progress.Inbox.FindAll(early => !progress.Concerns(early, waitKey)).ForEach(progress.Forget);
        },
        (_, entry, until) => entry with { DueAt = until, WaitKey = waitKey });

    /// <summary>Releases the saga to another instance between two steps.</summary>
    public Task ReleaseAsync(LeasedSaga leased) => ReleaseUntilAsync(leased, NotBegun, time.GetUtcNow());

    /// <summary>
    /// Releases the saga to another instance during a step: the attempt is not counted, and may have had an effect.
    /// </summary>
    public Task ReleaseDuringStepAsync(LeasedSaga leased, SagaStepProgress active) => ReleaseUntilAsync(
        leased,
        progress =>
        {
            active.CutOff();
            progress.Note(time.GetUtcNow(), active.Name, "interrupted by a stop");
        },
        time.GetUtcNow());

    public Task ReleaseUntilAsync(LeasedSaga leased, Action<SagaProgress> change, DateTimeOffset dueAt) =>
        ReleaseUntilAsync(leased, change, _ => dueAt);

    /// <summary>Changes the saga and releases it until its due time.</summary>
    public async Task ReleaseUntilAsync(LeasedSaga leased, Action<SagaProgress> change, Func<SagaProgress, DateTimeOffset?> dueAt)
    {
        await repository.SaveAsync(
            leased,
            progress =>
            {
                change(progress);
                progress.Held = false;
            },
            (progress, entry, _) => transitions.With(entry, entry.Status, progress, time.GetUtcNow()) with { DueAt = dueAt(progress) });
        notifier.Due();
    }

    /// <summary>Reports the end of the saga to the callers that wait for it.</summary>
    public void ReportEnd(LeasedSaga leased) => notifier.Ended(leased.Id);

    /// <summary>Marks the saga as needing attention and raises an alert.</summary>
    public Task HaltAsync(LeasedSaga leased, string why, Exception? error, Action<SagaProgress, DateTimeOffset>? recordFailure = null) =>
        RaiseAsync(leased, leased.Progress.Active()?.Name, why, error, () => ChangeStatusAsync(leased, (progress, entry, now) =>
        {
            recordFailure?.Invoke(progress, now);
            return transitions.Halt(progress, why, now);
        }));

    /// <summary>
    /// Marks the saga as needing attention after an error that no step has caused, so that it is not retried endlessly.
    /// </summary>
    public Task HaltAfterAsync(LeasedSaga leased, Exception exception)
    {
        var why = $"It could not continue: {ExceptionText.ShortOf(exception)}";
        return RaiseAsync(leased, null, why, exception, async () =>
        {
            try
            {
                await HaltAsSavedAsync(leased, (progress, now) =>
                {
                    progress.Active()?.CutOff();
                    progress.Held = false;
                    transitions.Halt(progress, why, now);
                });
            }
            catch (Exception) when (!repository.Closing.IsCancellationRequested)
            {
                // The store may have no room for the reason, which is also in the log.
                await HaltAsSavedAsync(leased, null);
            }
        });
    }

    /// <summary>
    /// Clears the begun mark of the active step, which this instance has not run and will not run now.
    /// </summary>
    public static void NotBegun(SagaProgress progress)
    {
        if (progress.Active() is { } active)
        {
            active.Begun = false;
        }
    }

    /// <summary>
    /// Marks the stored saga, and not the progress in memory, as needing attention: a failed change may have left the
    /// progress inconsistent.
    /// </summary>
    private async Task HaltAsSavedAsync(LeasedSaga leased, Action<SagaProgress, DateTimeOffset>? note) => await repository.ChangeAsync(
        leased.Id,
        entry =>
        {
            if (entry.Claim != leased.Entry.Claim
                || SagaTransitions.IsEnd(entry.Status)
                || SagaProgress.Read(entry.Content, out _) is not { } progress)
            {
                return null;
            }

            var now = time.GetUtcNow();
            note?.Invoke(progress, now);
            return transitions.With(entry, SagaStatus.NeedsAttention, progress, now) with
            {
                DueAt = null,
                AlertAt = AlertAt(now),
                ChangedAt = now,
                Content = note is null ? entry.Content : progress.Write(),
            };
        },
        repository.Closing);

    private Task RaiseAsync(LeasedSaga leased, string? step, string why, Exception? error, Func<Task> write) => notifier.RaiseAsync(
        async () =>
        {
            await write();
            services.Log.SagaNeedsAttention(definition.Name, leased.Id, step, why, error);
            return true;
        },
        leased.Id);

    private DateTimeOffset? AlertAt(DateTimeOffset now) => notifier.WantsAlerts ? now : null;
}
