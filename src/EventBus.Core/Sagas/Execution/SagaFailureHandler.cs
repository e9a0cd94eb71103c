namespace EventBus;

/// <summary>
/// Decides what follows a failed attempt of a step: a retry, the compensation of the saga, or that it needs attention.
/// </summary>
internal sealed class SagaFailureHandler(
    SagaDefinition definition,
    SagaTransitions transitions,
    SagaStateWriter writer,
    BusServices services)
{
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>
    /// Handles a failed attempt, or an attempt that will not be made: schedules a retry, compensates the saga, or marks
    /// it as needing attention.
    /// </summary>
    /// <returns>True if the saga continues now, with its compensation or its end.</returns>
    public async Task<bool> FailAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active, SagaFailure failure)
    {
        var error = failure.Error;
        var direction = active.Status == SagaStepStatus.Compensating ? SagaDirection.Compensate : SagaDirection.Execute;
        if (error is SagaStateException)
        {
            // The step has not run, because the stored state cannot be read.
            await writer.HaltAsync(
                leased,
                ExceptionText.MessageOf(error),
                error,
                static (progress, _) => SagaStateWriter.ClearBegun(progress));
            return false;
        }

        var retry = step.RetryOf(direction);
        var failures = active.Failures + 1;
        if (failure.Kind == SagaFailureKind.Retryable && !retry.IsPermanent(error) && retry.Allows(failures))
        {
            await RetryLaterAsync(leased, step, active, failure, retry.DelayAfter(failures));
            return false;
        }

        // If an earlier attempt may have had an effect, a rejection of this one does not exclude that effect.
        var rejected = failure.Kind == SagaFailureKind.Rejected && !active.MayHaveEffect;
        if (direction == SagaDirection.Compensate)
        {
            await writer.HaltAsync(
                leased,
                $"The compensation of '{step.Name}' failed: {ExceptionText.ShortOf(error)}",
                error,
                (progress, now) => RecordFailure(progress, active, failure, rejected, now));
            return false;
        }

        var reason = transitions.AttentionReason(leased.Progress, step, rejected);
        if (reason is not null)
        {
            await writer.HaltAsync(leased, $"{reason} {ExceptionText.ShortOf(error)}", error, (progress, now) =>
            {
                progress.FailedStep = step.Name;
                RecordFailure(progress, active, failure, rejected, now);
            });
            return false;
        }

        services.Log.SagaCompensates(definition.Name, leased.Id, step.Name, failure.Attempts, error);
        await writer.ChangeStatusAsync(leased, (progress, entry, now) =>
        {
            RecordFailure(progress, active, failure, rejected, now);
            return transitions.Failed(progress, entry, active, rejected, now);
        });
        return true;
    }

    private Task RetryLaterAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active, SagaFailure failure, TimeSpan delay)
    {
        var error = failure.Error;
        var dueAt = time.GetUtcNow() + delay;
        var direction = active.Status == SagaStepStatus.Compensating ? "compensate" : "execute";
        services.Log.SagaWillRetry(definition.Name, leased.Id, step.Name, direction, failure.Attempts, dueAt, error);
        return writer.ReleaseUntilAsync(
            leased,
            progress =>
            {
                active.Failures++;
                active.Begun = false;
                active.MayHaveEffect = true;
                active.Error = ExceptionText.ShortOf(error);
                active.ErrorType = ExceptionText.TypeOf(error);
                progress.AddHistory(time.GetUtcNow(), step.Name, $"failed: {ExceptionText.ShortOf(error)}");
            },
            dueAt);
    }

    private static void RecordFailure(
        SagaProgress progress, SagaStepProgress active, SagaFailure failure, bool rejected, DateTimeOffset now)
    {
        var error = ExceptionText.ShortOf(failure.Error);
        active.Failures++;
        active.Begun = false;
        active.MayHaveEffect = !rejected;
        active.Error = error;
        active.ErrorType = ExceptionText.TypeOf(failure.Error);
        progress.AddHistory(now, active.Name, $"failed for good: {error}");
        if (active.Status != SagaStepStatus.Compensating)
        {
            // The error of a compensation does not replace the error because of which the saga is compensated.
            progress.Error = error;
            progress.ErrorType = failure.Error.GetType().FullName;
        }
    }
}
