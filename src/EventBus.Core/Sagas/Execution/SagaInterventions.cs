using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Applies the operations of an operator to a saga that needs attention. Changes only its progress and returns its new
/// status; does not save it.
/// </summary>
/// <param name="definition">The saga.</param>
/// <param name="path">Begins the next step or the next compensation, and ends the saga.</param>
internal sealed class SagaInterventions(SagaDefinition definition, SagaPath path)
{
    /// <summary>Resumes the saga with the operation that failed.</summary>
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

        return SagaPath.SetStatus(progress, StatusToResume(progress), now);
    }

    /// <summary>Resumes the saga without the operation that failed.</summary>
    public SagaStatus Skip(SagaProgress progress, SagaEntry entry, string reason, DateTimeOffset now)
    {
        var status = SagaPath.SetStatus(progress, StatusToResume(progress), now);
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
                ? path.BeginNextCompensation(progress, entry, now)
                : path.BeginNextStep(progress, entry, step, now);
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

        return path.End(progress, entry, SagaStatus.Finished, now);
    }

    /// <summary>
    /// Returns the status of a saga that no longer needs attention: compensating if its compensation had begun, else
    /// running.
    /// </summary>
    private static SagaStatus StatusToResume(SagaProgress progress) =>
        progress.Steps.Exists(step => step.Status is SagaStepStatus.Rejected
            or SagaStepStatus.InDoubt
            or SagaStepStatus.Compensating
            or SagaStepStatus.Compensated) ? SagaStatus.Compensating : SagaStatus.Running;
}
