using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Moves a saga along its path: to its next step, to its next compensation, or to its end. Changes only its progress.
/// </summary>
/// <param name="definition">The saga.</param>
/// <param name="events">Creates the events that report the progress of the saga; none if they are not wanted.</param>
internal sealed class SagaPath(SagaDefinition definition, SagaEventFactory events)
{
    /// <summary>Begins the first step of a new saga.</summary>
    public void BeginFirstStep(SagaProgress progress) => BeginStep(progress, definition.Steps[0]);

    /// <summary>Begins the next step, or completes the saga.</summary>
    public SagaStatus BeginNextStep(SagaProgress progress, SagaEntry entry, SagaStepProgress done, DateTimeOffset now)
    {
        done.WaitsSince = null;
        done.WaitsUntil = null;

        // A second reply to this step is not a reply to the next.
        progress.ForgetReplies();

        // A step that this application no longer has determines no position.
        var lastKnown = progress.Steps.FindLast(step => definition.Find(step.Name) is not null);
        var next = definition.After(lastKnown?.Name);
        if (next is null)
        {
            return End(progress, entry, SagaStatus.Completed, now);
        }

        BeginStep(progress, next);
        return SagaStatus.Running;
    }

    /// <summary>
    /// Begins the compensation of the last step that had or may have had an effect, or ends the saga.
    /// </summary>
    public SagaStatus BeginNextCompensation(SagaProgress progress, SagaEntry entry, DateTimeOffset now)
    {
        // A step that this application no longer has is begun too: the saga then needs attention, instead of skipping
        // the compensation silently.
        var step = progress.Steps.FindLast(done => done.Status is SagaStepStatus.Executed or SagaStepStatus.InDoubt
            && definition.Find(done.Name) is not { HasCompensation: false });
        if (step is null)
        {
            return End(progress, entry, SagaStatus.Compensated, now);
        }

        step.Status = SagaStepStatus.Compensating;
        step.Begun = true;
        step.Failures = 0;
        step.Interruptions = 0;
        return SagaStatus.Compensating;
    }

    /// <summary>Ends the saga with a final status.</summary>
    public SagaStatus End(SagaProgress progress, SagaEntry entry, SagaStatus status, DateTimeOffset now)
    {
        SetStatus(progress, status, now);
        progress.ForgetReplies();
        progress.AddHistory(now, null, status.ToString().ToLowerInvariant());
        progress.Outbox.AddRange(events.Ended(entry.Id, status, progress));
        return status;
    }

    /// <summary>
    /// Records the time of a new status, which the caller stores in the entry. Removes the reason why the saga needed
    /// attention, if it no longer does.
    /// </summary>
    /// <returns>The status.</returns>
    public static SagaStatus SetStatus(SagaProgress progress, SagaStatus status, DateTimeOffset now)
    {
        if (status != SagaStatus.NeedsAttention)
        {
            progress.Attention = null;
        }

        progress.StatusSince = now;
        return status;
    }

    private static void BeginStep(SagaProgress progress, SagaStepDefinition step) =>
        progress.Steps.Add(new SagaStepProgress { Name = step.Name, Status = SagaStepStatus.Executing, Begun = true });
}
