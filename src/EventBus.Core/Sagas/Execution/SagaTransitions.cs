using EventBus.Stores;

namespace EventBus;

/// <summary>How a saga goes from one step to the next: changes of its progress, and nothing else.</summary>
/// <param name="definition">The saga.</param>
/// <param name="publish">Makes the envelopes of the saga's own events; empty where nobody wants them.</param>
/// <param name="retention">How long a saga that has ended is kept.</param>
internal sealed class SagaTransitions(SagaDefinition definition, SagaEventFactory publish, TimeSpan retention)
{
    /// <summary>The progress of a saga that begins.</summary>
    public SagaProgress Begin(StoredState state, DateTimeOffset now)
    {
        var progress = new SagaProgress { StateVersion = state.Version, State = state.Json, StatusSince = now, Held = true };
        progress.Note(now, null, "started");
        Start(progress, definition.Steps[0]);
        return progress;
    }

    /// <summary>A step was executed.</summary>
    public SagaStatus Executed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        (step.Status, step.Begun, step.MayHaveEffect, step.Error) = (SagaStepStatus.Executed, false, false, null);
        (progress.FailedStep, progress.Error, progress.ErrorType) = (null, null, null);
        progress.Note(now, step.Name, "executed");
        progress.Outbox.AddRange(publish.StepCompleted(entry.Id, step.Name, progress.TraceParent));
        return Forward(progress, entry, step, now);
    }

    /// <summary>A step was undone.</summary>
    public SagaStatus Compensated(SagaProgress progress, SagaEntry entry, SagaStepProgress step, DateTimeOffset now)
    {
        (step.Status, step.Begun, step.MayHaveEffect, step.Error) = (SagaStepStatus.Compensated, false, false, null);
        progress.Note(now, step.Name, "compensated");
        return Back(progress, entry, now);
    }

    /// <summary>Why a saga whose step cannot be executed needs people, because undoing is out of the question; null when it is not.</summary>
    public string? NeedsPeople(SagaProgress progress, SagaStepDefinition step, bool rejected) =>
        progress.Steps.Exists(done => done.Status is SagaStepStatus.Executed or SagaStepStatus.Skipped && definition.Find(done.Name) is { IsPivot: true }) ? "It failed after the pivot, where nothing can be undone any more."
        : step.IsPivot && !rejected ? "Nobody knows whether the pivot had its effect, which cannot be undone."
        : null;

    /// <summary>A step cannot be executed: what was done is undone.</summary>
    public SagaStatus Failed(SagaProgress progress, SagaEntry entry, SagaStepProgress step, bool rejected, DateTimeOffset now)
    {
        (progress.FailedStep, step.Status) = (step.Name, rejected ? SagaStepStatus.Rejected : SagaStepStatus.InDoubt);
        (step.WaitsSince, step.WaitsUntil) = (null, null);
        progress.Note(now, step.Name, rejected ? "had no effect" : "may have had an effect");
        Turn(progress, SagaStatus.Compensating, now);
        return Back(progress, entry, now);
    }

    /// <summary>It cannot go on without people.</summary>
    public SagaStatus Halt(SagaProgress progress, string why, DateTimeOffset now)
    {
        progress.Attention = why;
        progress.Note(now, progress.Active()?.Name, $"needs attention: {why}");
        return Turn(progress, SagaStatus.NeedsAttention, now);
    }

    /// <summary>People want it to try again.</summary>
    public SagaStatus Retry(SagaProgress progress, DateTimeOffset now)
    {
        progress.EventsRefused = false;
        progress.Note(now, progress.Active()?.Name, "retried by people");
        if (progress.Active() is { } step)
        {
            // A new budget. What is known of earlier runs stays.
            (step.Failures, step.Interruptions) = (0, 0);
            step.CutOff();
            if (step.Status == SagaStepStatus.Waiting && progress.ReplyFor(step, definition.Find(step.Name)?.ReplyName) is null)
            {
                // It has waited long enough: it asks again.
                (step.Status, step.WaitsSince, step.WaitsUntil) = (SagaStepStatus.Executing, null, null);
            }
        }

        return Turn(progress, Resumed(progress), now);
    }

    /// <summary>People want it to go on without the step that it could not execute or undo.</summary>
    public SagaStatus Skip(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        var resume = Turn(progress, Resumed(progress), now);
        if (progress.EventsRefused)
        {
            // Not the step is what it could not do.
            progress.Outbox.Clear();
            progress.EventsRefused = false;
            progress.Note(now, null, $"events dropped by people: {reason}");
        }
        else if (progress.Active() is { } step)
        {
            (step.Status, step.Begun) = (SagaStepStatus.Skipped, false);
            progress.Note(now, step.Name, $"skipped by people: {reason}");
            resume = resume == SagaStatus.Compensating ? Back(progress, entry, now) : Forward(progress, entry, step, now);
            if (progress.Active() is { } next)
            {
                next.Begun = false;
            }
        }

        return resume;
    }

    /// <summary>People end it as it stands.</summary>
    public SagaStatus Finish(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        progress.Note(now, progress.Active()?.Name, $"finished by people: {reason}");
        if (progress.EventsRefused)
        {
            progress.Outbox.Clear();
            progress.EventsRefused = false;
        }

        return End(progress, entry, SagaStatus.Finished, now);
    }

    /// <summary>The entry of a saga that has a status. What has ended may be forgotten one day, but not before its events were sent.</summary>
    public SagaEntry With(SagaEntry entry, SagaStatus status, SagaProgress progress, DateTimeOffset now) =>
        entry with { Status = status, KeepUntil = IsEnd(status) && progress.Outbox.Count == 0 ? entry.KeepUntil ?? now + retention : null };

    /// <summary>Nothing happens any more after it.</summary>
    public static bool IsEnd(SagaStatus status) => status is SagaStatus.Completed or SagaStatus.Compensated or SagaStatus.Finished;

    /// <summary>What it was doing before it needed attention: once a step has failed, there is no way but back.</summary>
    private static SagaStatus Resumed(SagaProgress progress) =>
        progress.Steps.Exists(step => step.Status is SagaStepStatus.Rejected or SagaStepStatus.InDoubt or SagaStepStatus.Compensating or SagaStepStatus.Compensated) ? SagaStatus.Compensating : SagaStatus.Running;

    private static void Start(SagaProgress progress, SagaStepDefinition step) =>
        progress.Steps.Add(new SagaStepProgress { Name = step.Name, Status = SagaStepStatus.Executing, Begun = true });

    /// <summary>Begins the step that follows, or ends.</summary>
    private SagaStatus Forward(SagaProgress progress, SagaEntry entry, SagaStepProgress done, DateTimeOffset now)
    {
        (done.WaitsSince, done.WaitsUntil) = (null, null);

        // A second answer to this step is none to the next.
        progress.ForgetReplies();
        if (definition.After(progress.Steps.FindLast(step => definition.Find(step.Name) is not null)?.Name) is not { } next)
        {
            return End(progress, entry, SagaStatus.Completed, now);
        }

        Start(progress, next);
        return SagaStatus.Running;
    }

    /// <summary>Begins to undo the last step that had or may have had an effect, or ends.</summary>
    private SagaStatus Back(SagaProgress progress, SagaEntry entry, DateTimeOffset now)
    {
        foreach (var step in Enumerable.Reverse(progress.Steps).Where(step => step.Status is SagaStepStatus.Executed or SagaStepStatus.InDoubt))
        {
            // One that this application does not know any more is begun too: that makes people look, instead of leaving it as it is in silence.
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
        Turn(progress, status, now);
        progress.ForgetReplies();
        progress.Note(now, null, status.ToString().ToLowerInvariant());
        progress.Outbox.AddRange(publish.Ended(entry.Id, status, progress));
        return status;
    }

    private static SagaStatus Turn(SagaProgress progress, SagaStatus status, DateTimeOffset now)
    {
        progress.Attention = status == SagaStatus.NeedsAttention ? progress.Attention : null;
        progress.StatusSince = now;
        return status;
    }
}
