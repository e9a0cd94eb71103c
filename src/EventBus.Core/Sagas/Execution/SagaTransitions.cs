using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Moves a saga from one step to the next. Changes only its progress and returns its new status; does not save it.
/// </summary>
/// <param name="definition">The saga.</param>
/// <param name="path">Begins the next step or the next compensation.</param>
/// <param name="events">Creates the events that report the progress of the saga; none if they are not wanted.</param>
/// <param name="retention">The retention of sagas that have ended.</param>
internal sealed class SagaTransitions(SagaDefinition definition, SagaPath path, SagaEventFactory events, TimeSpan retention)
{
    public SagaDefinition Definition => definition;

    /// <summary>Creates the progress of a new saga.</summary>
    public SagaProgress Begin(StoredState state, DateTimeOffset now)
    {
        var progress = new SagaProgress { StateVersion = state.Version, State = state.Json, StatusSince = now, Held = true };
        progress.AddHistory(now, null, "started");
        path.BeginFirstStep(progress);
        return progress;
    }

    /// <summary>Records that a step was executed, and begins the next step or completes the saga.</summary>
    public SagaStatus Executed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        RecordSuccess(step, SagaStepStatus.Executed);

        // A failure of this step before an operator's retry is over.
        progress.FailedStep = null;
        progress.Error = null;
        progress.ErrorType = null;
        progress.AddHistory(now, step.Name, "executed");
        progress.Outbox.AddRange(events.StepCompleted(entry.Id, step.Name, progress.TraceParent));
        return path.BeginNextStep(progress, entry, step, now);
    }

    /// <summary>Records that a step was compensated, and begins the next compensation or ends the saga.</summary>
    public SagaStatus Compensated(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        RecordSuccess(step, SagaStepStatus.Compensated);
        progress.AddHistory(now, step.Name, "compensated");
        return path.BeginNextCompensation(progress, entry, now);
    }

    /// <summary>
    /// Returns why a saga whose step failed needs attention instead of a compensation; null if it can be compensated.
    /// </summary>
    /// <param name="progress">The progress of the saga.</param>
    /// <param name="step">The step that failed.</param>
    /// <param name="rejected">True if the step certainly had no effect.</param>
    public string? AttentionReason(SagaProgress progress, SagaStepDefinition step, bool rejected)
    {
        var isAfterPivot = progress.Steps.Exists(done => done.Status is SagaStepStatus.Executed or SagaStepStatus.Skipped
            && definition.Find(done.Name) is { IsPivot: true });
        if (isAfterPivot)
        {
            return "The step failed after the pivot, where nothing can be undone.";
        }

        return step.IsPivot && !rejected ? "It is unknown whether the pivot had its effect, which cannot be undone." : null;
    }

    /// <summary>Records that a step failed, and begins the compensation.</summary>
    public SagaStatus Failed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, bool rejected, DateTimeOffset now)
    {
        progress.FailedStep = step.Name;
        step.Status = rejected ? SagaStepStatus.Rejected : SagaStepStatus.InDoubt;
        step.WaitsSince = null;
        step.WaitsUntil = null;
        progress.AddHistory(now, step.Name, rejected ? "had no effect" : "may have had an effect");
        SagaPath.SetStatus(progress, SagaStatus.Compensating, now);
        return path.BeginNextCompensation(progress, entry, now);
    }

    /// <summary>Records that the saga needs attention.</summary>
    public SagaStatus Halt(SagaProgress progress, string reason, DateTimeOffset now)
    {
        progress.Attention = reason;
        progress.AddHistory(now, progress.Active()?.Name, $"needs attention: {reason}");
        return SagaPath.SetStatus(progress, SagaStatus.NeedsAttention, now);
    }

    /// <summary>
    /// Returns the entry with a status. The retention of a saga that has ended begins only after its events were sent.
    /// </summary>
    public SagaEntry WithStatus(SagaEntry entry, SagaStatus status, SagaProgress progress, DateTimeOffset now)
    {
        var retentionBegins = IsEnd(status) && progress.Outbox.Count == 0;
        return entry with { Status = status, KeepUntil = retentionBegins ? entry.KeepUntil ?? now + retention : null };
    }

    /// <summary>True if the status is final.</summary>
    public static bool IsEnd(SagaStatus status) => status is SagaStatus.Completed or SagaStatus.Compensated or SagaStatus.Finished;

    private static void RecordSuccess(SagaStepProgress step, SagaStepStatus status)
    {
        step.Status = status;
        step.Begun = false;
        step.MayHaveEffect = false;
        step.Error = null;
        step.ErrorType = null;
    }
}
