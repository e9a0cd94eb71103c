using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Moves a saga from one step to the next. Changes only its progress and returns its new status; does not save it.
/// </summary>
/// <param name="definition">The saga.</param>
/// <param name="events">Creates the events that report the progress of the saga; none if they are not wanted.</param>
/// <param name="retention">The retention of sagas that have ended.</param>
internal sealed class SagaTransitions(SagaDefinition definition, SagaEventFactory events, TimeSpan retention)
{
    public SagaDefinition Definition => definition;

    /// <summary>Creates the progress of a new saga.</summary>
    public SagaProgress Begin(StoredState state, DateTimeOffset now)
    {
        var progress = new SagaProgress { StateVersion = state.Version, State = state.Json, StatusSince = now, Held = true };
        progress.AddHistory(now, null, "started");
        BeginStep(progress, definition.Steps[0]);
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
        return BeginNextStep(progress, entry, step, now);
    }

    /// <summary>Records that a step was compensated, and begins the next compensation or ends the saga.</summary>
    public SagaStatus Compensated(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        RecordSuccess(step, SagaStepStatus.Compensated);
        progress.AddHistory(now, step.Name, "compensated");
        return BeginNextCompensation(progress, entry, now);
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
        SetStatus(progress, SagaStatus.Compensating, now);
        return BeginNextCompensation(progress, entry, now);
    }

    /// <summary>Records that the saga needs attention.</summary>
    public SagaStatus Halt(SagaProgress progress, string reason, DateTimeOffset now)
    {
        progress.Attention = reason;
        progress.AddHistory(now, progress.Active()?.Name, $"needs attention: {reason}");
        return SetStatus(progress, SagaStatus.NeedsAttention, now);
    }

    /// <summary>Resumes the saga after an operator's retry.</summary>
    public SagaStatus Retry(SagaProgress progress, DateTimeOffset now)
    {
        progress.EventsRefused = false;
        progress.AddHistory(now, progress.Active()?.Name, "retried by an operator");
        if (progress.Active() is { } step)
        {
            // The retries are counted from zero. The information that an earlier attempt may have had an effect stays.
            step.Failures = 0;
            step.Interruptions = 0;
            step.CutOff();
            if (step.Status == SagaStepStatus.Waiting && progress.ReplyFor(step, definition.Find(step.Name)?.ReplyName) is null)
            {
                // The saga needed attention because the wait for the reply had timed out: the step is executed again.
                step.Status = SagaStepStatus.Executing;
                step.WaitsSince = null;
                step.WaitsUntil = null;
            }
        }

        return SetStatus(progress, StatusToResume(progress), now);
    }

    /// <summary>Resumes the saga without the operation that failed.</summary>
    public SagaStatus Skip(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        var status = SetStatus(progress, StatusToResume(progress), now);
        if (progress.EventsRefused)
        {
            // The failed operation is the sending of the events, not the step.
            progress.Outbox.Clear();
            progress.EventsRefused = false;
            progress.AddHistory(now, null, $"events dropped by an operator: {reason}");
        }
        else if (progress.Active() is { } step)
        {
            step.Status = SagaStepStatus.Skipped;
            step.Begun = false;
            progress.AddHistory(now, step.Name, $"skipped by an operator: {reason}");
            status = status == SagaStatus.Compensating
                ? BeginNextCompensation(progress, entry, now)
                : BeginNextStep(progress, entry, step, now);
            if (progress.Active() is { } next)
            {
                // No instance holds the saga, so the next step has not begun.
                next.Begun = false;
            }
        }

        return status;
    }

    /// <summary>Ends the saga in its current state, on behalf of an operator.</summary>
    public SagaStatus Finish(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        progress.AddHistory(now, progress.Active()?.Name, $"finished by an operator: {reason}");
        if (progress.EventsRefused)
        {
            progress.Outbox.Clear();
            progress.EventsRefused = false;
        }

        return End(progress, entry, SagaStatus.Finished, now);
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

    /// <summary>
    /// Returns the status of a saga that no longer needs attention: compensating if its compensation had begun, else
    /// running.
    /// </summary>
    private static SagaStatus StatusToResume(SagaProgress progress) =>
        progress.Steps.Exists(step => step.Status is SagaStepStatus.Rejected
            or SagaStepStatus.InDoubt
            or SagaStepStatus.Compensating
            or SagaStepStatus.Compensated) ? SagaStatus.Compensating : SagaStatus.Running;

    private static void RecordSuccess(SagaStepProgress step, SagaStepStatus status)
    {
        step.Status = status;
        step.Begun = false;
        step.MayHaveEffect = false;
        step.Error = null;
    }

    private static void BeginStep(SagaProgress progress, SagaStepDefinition step) =>
        progress.Steps.Add(new SagaStepProgress { Name = step.Name, Status = SagaStepStatus.Executing, Begun = true });

    /// <summary>Begins the next step, or completes the saga.</summary>
    private SagaStatus BeginNextStep(SagaProgress progress, SagaEntry entry, SagaStepProgress done, DateTimeOffset now)
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
    private SagaStatus BeginNextCompensation(SagaProgress progress, SagaEntry entry, DateTimeOffset now)
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

    private SagaStatus End(SagaProgress progress, SagaEntry entry, SagaStatus status, DateTimeOffset now)
    {
        SetStatus(progress, status, now);
        progress.ForgetReplies();
        progress.AddHistory(now, null, status.ToString().ToLowerInvariant());
        progress.Outbox.AddRange(events.Ended(entry.Id, status, progress));
        return status;
    }

    private static SagaStatus SetStatus(SagaProgress progress, SagaStatus status, DateTimeOffset now)
    {
        if (status != SagaStatus.NeedsAttention)
        {
            progress.Attention = null;
        }

        progress.StatusSince = now;
        return status;
    }
}
