using EventBus.Stores;

namespace EventBus;

/// <summary>Moves a saga from one step to the next. Changes only its progress; does not save it.</summary>
/// <param name="definition">The saga.</param>
/// <param name="publish">Creates the events that report the progress of the saga; none if they are not wanted.</param>
/// <param name="retention">The retention of sagas that have ended.</param>
internal sealed class SagaTransitions(SagaDefinition definition, SagaEventFactory publish, TimeSpan retention)
{
    public SagaDefinition Definition => definition;

    /// <summary>Creates the progress of a new saga.</summary>
    public SagaProgress Begin(StoredState state, DateTimeOffset now)
    {
        var progress = new SagaProgress { StateVersion = state.Version, State = state.Json, StatusSince = now, Held = true };
        progress.Note(now, null, "started");
        Start(progress, definition.Steps[0]);
        return progress;
    }

    /// <summary>Records that a step was executed, and begins the next step or completes the saga.</summary>
    public SagaStatus Executed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        (step.Status, step.Begun, step.MayHaveEffect, step.Error) = (SagaStepStatus.Executed, false, false, null);
        (progress.FailedStep, progress.Error, progress.ErrorType) = (null, null, null);
        progress.Note(now, step.Name, "executed");
        progress.Outbox.AddRange(publish.StepCompleted(entry.Id, step.Name, progress.TraceParent));
        return Forward(progress, entry, step, now);
    }

    /// <summary>Records that a step was compensated, and begins the next compensation or ends the saga.</summary>
    public SagaStatus Compensated(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        (step.Status, step.Begun, step.MayHaveEffect, step.Error) = (SagaStepStatus.Compensated, false, false, null);
        progress.Note(now, step.Name, "compensated");
        return Back(progress, entry, now);
    }

    /// <summary>
    /// Returns why a saga whose step failed needs attention instead of a compensation; null if it can be compensated.
    /// </summary>
    public string? AttentionReason(SagaProgress progress, SagaStepDefinition step, bool rejected)
    {
        var isAfterPivot = progress.Steps.Exists(done => done.Status is SagaStepStatus.Executed or SagaStepStatus.Skipped
            && definition.Find(done.Name) is { IsPivot: true });
        if (isAfterPivot)
        {
            return "It failed after the pivot, where nothing can be undone.";
        }

        return step.IsPivot && !rejected ? "It is unknown whether the pivot had its effect, which cannot be undone." : null;
    }

    /// <summary>Records that a step failed, and begins the compensation.</summary>
    public SagaStatus Failed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, bool rejected, DateTimeOffset now)
    {
        (progress.FailedStep, step.Status) = (step.Name, rejected ? SagaStepStatus.Rejected : SagaStepStatus.InDoubt);
        (step.WaitsSince, step.WaitsUntil) = (null, null);
        progress.Note(now, step.Name, rejected ? "had no effect" : "may have had an effect");
        SetStatus(progress, SagaStatus.Compensating, now);
        return Back(progress, entry, now);
    }

    /// <summary>Records that the saga needs attention.</summary>
    public SagaStatus Halt(SagaProgress progress, string why, DateTimeOffset now)
    {
        progress.Attention = why;
        progress.Note(now, progress.Active()?.Name, $"needs attention: {why}");
        return SetStatus(progress, SagaStatus.NeedsAttention, now);
    }

    /// <summary>Resumes the saga after an operator's retry.</summary>
    public SagaStatus Retry(SagaProgress progress, DateTimeOffset now)
    {
        progress.EventsRefused = false;
        progress.Note(now, progress.Active()?.Name, "retried by an operator");
        if (progress.Active() is { } step)
        {
            // The retries are counted from zero. The information that an earlier attempt may have had an effect stays.
            (step.Failures, step.Interruptions) = (0, 0);
            step.CutOff();
            if (step.Status == SagaStepStatus.Waiting && progress.ReplyFor(step, definition.Find(step.Name)?.ReplyName) is null)
            {
                // The saga needed attention because the wait for the reply had timed out: the step is executed again.
                (step.Status, step.WaitsSince, step.WaitsUntil) = (SagaStepStatus.Executing, null, null);
            }
        }

        return SetStatus(progress, Resumed(progress), now);
    }

    /// <summary>Resumes the saga without the operation that failed.</summary>
    public SagaStatus Skip(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        var resume = SetStatus(progress, Resumed(progress), now);
        if (progress.EventsRefused)
        {
            // The failed operation is the sending of the events, not the step.
            progress.Outbox.Clear();
            progress.EventsRefused = false;
            progress.Note(now, null, $"events dropped by an operator: {reason}");
        }
        else if (progress.Active() is { } step)
        {
            (step.Status, step.Begun) = (SagaStepStatus.Skipped, false);
            progress.Note(now, step.Name, $"skipped by an operator: {reason}");
            resume = resume == SagaStatus.Compensating ? Back(progress, entry, now) : Forward(progress, entry, step, now);
            if (progress.Active() is { } next)
            {
                next.Begun = false;
            }
        }

        return resume;
    }

    /// <summary>Ends the saga in its current state, on behalf of an operator.</summary>
    public SagaStatus Finish(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        progress.Note(now, progress.Active()?.Name, $"finished by an operator: {reason}");
        if (progress.EventsRefused)
        {
            progress.Outbox.Clear();
            progress.EventsRefused = false;
        }

        return End(progress, entry, SagaStatus.Finished, now);
    }

    /// <summary>
    /// Returns the entry with a status. A saga that has ended gets an end of its retention only after its events were
    /// sent.
    /// </summary>
    public SagaEntry With(SagaEntry entry, SagaStatus status, SagaProgress progress, DateTimeOffset now) =>
        entry with { Status = status, KeepUntil = IsEnd(status) && progress.Outbox.Count == 0 ? entry.KeepUntil ?? now + retention : null };

    /// <summary>True if the status is final.</summary>
    public static bool IsEnd(SagaStatus status) => status is SagaStatus.Completed or SagaStatus.Compensated or SagaStatus.Finished;

    /// <summary>
    /// Returns the status to resume after the saga needed attention: compensating if a step has failed before, else
    /// running.
    /// </summary>
    private static SagaStatus Resumed(SagaProgress progress) =>
        progress.Steps.Exists(step => step.Status is SagaStepStatus.Rejected
            or SagaStepStatus.InDoubt
            or SagaStepStatus.Compensating
            or SagaStepStatus.Compensated) ? SagaStatus.Compensating : SagaStatus.Running;

    private static void Start(SagaProgress progress, SagaStepDefinition step) =>
        progress.Steps.Add(new SagaStepProgress { Name = step.Name, Status = SagaStepStatus.Executing, Begun = true });

    /// <summary>Begins the next step, or completes the saga.</summary>
    private SagaStatus Forward(SagaProgress progress, SagaEntry entry, SagaStepProgress done, DateTimeOffset now)
    {
        (done.WaitsSince, done.WaitsUntil) = (null, null);

        // A second reply to this step is not a reply to the next.
        progress.ForgetReplies();
        if (definition.After(progress.Steps.FindLast(step => definition.Find(step.Name) is not null)?.Name) is not { } next)
        {
            return End(progress, entry, SagaStatus.Completed, now);
        }

        Start(progress, next);
        return SagaStatus.Running;
    }

    /// <summary>
    /// Begins the compensation of the last step that had or may have had an effect, or ends the saga.
    /// </summary>
    private SagaStatus Back(SagaProgress progress, SagaEntry entry, DateTimeOffset now)
    {
        foreach (var step in Enumerable.Reverse(progress.Steps)
            .Where(step => step.Status is SagaStepStatus.Executed or SagaStepStatus.InDoubt))
        {
            // A step that this application no longer knows is begun too: the saga then needs attention, instead of
            // skipping the compensation silently.
            if (definition.Find(step.Name) is not { HasCompensation: false })
            {
                (step.Status, step.Begun, step.Failures, step.Interruptions) = (SagaStepStatus.Compensating, true, 0, 0);
                return SagaStatus.Compensating;
            }
        }

        return End(progress, entry, SagaStatus.Compensated, now);
    }

    private SagaStatus End(SagaProgress progress, SagaEntry entry, SagaStatus status, DateTimeOffset now)
    {
        SetStatus(progress, status, now);
        progress.ForgetReplies();
        progress.Note(now, null, status.ToString().ToLowerInvariant());
        progress.Outbox.AddRange(publish.Ended(entry.Id, status, progress));
        return status;
    }

    private static SagaStatus SetStatus(SagaProgress progress, SagaStatus status, DateTimeOffset now)
    {
        progress.Attention = status == SagaStatus.NeedsAttention ? progress.Attention : null;
        progress.StatusSince = now;
        return status;
    }
}
