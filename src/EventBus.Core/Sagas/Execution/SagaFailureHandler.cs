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
    public async Task<bool> FailAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active, SagaFailure failure)
    {
        var (error, attempts, ending) = failure;
        var direction = active.Status == SagaStepStatus.Compensating ? SagaDirection.Compensate : SagaDirection.Execute;
        if (error is SagaStateException)
        {
            await writer.HaltAsync(
                leased,
                ExceptionText.MessageOf(error),
                error,
                static (progress, _) => SagaStateWriter.NotBegun(progress));
            return false;
        }

        var retry = step.RetryOf(direction);

        // If an earlier attempt may have had an effect, a rejection of this one does not exclude that effect.
        var rejected = ending == SagaAttemptEnding.Refused && !active.MayHaveEffect;
        if (ending == SagaAttemptEnding.Failed && !retry.IsPermanent(error) && retry.Allows(active.Failures + 1))
        {
            await RetryLaterAsync(leased, step, active, failure, retry.DelayAfter(active.Failures + 1));
            return false;
        }

        if (direction == SagaDirection.Compensate)
        {
            await writer.HaltAsync(
                leased,
                $"The compensation of '{step.Name}' failed: {ExceptionText.ShortOf(error)}",
                error,
                (progress, now) => RecordFailure(progress, active, failure, rejected, now));
            return false;
        }

        if (transitions.AttentionReason(leased.Progress, step, rejected) is { } why)
        {
            await writer.HaltAsync(leased, $"{why} {ExceptionText.ShortOf(error)}", error, (progress, now) =>
            {
                progress.FailedStep = step.Name;
                RecordFailure(progress, active, failure, rejected, now);
            });
            return false;
        }

        services.Log.SagaCompensates(definition.Name, leased.Id, step.Name, attempts, error);
        await writer.ChangeStatusAsync(leased, (progress, entry, now) =>
        {
            RecordFailure(progress, active, failure, rejected, now);
            return transitions.Failed(progress, entry, active, rejected, now);
        });
        return true;
    }

    private Task RetryLaterAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active, SagaFailure failure, TimeSpan delay)
    {
        var (error, attempts, _) = failure;
        var dueAt = time.GetUtcNow() + delay;
        var direction = active.Status == SagaStepStatus.Compensating ? SagaDirection.Compensate : SagaDirection.Execute;
        services.Log.SagaWillRetry(definition.Name, leased.Id, step.Name, direction.ToString().ToLowerInvariant(), attempts, dueAt, error);
        return writer.ReleaseUntilAsync(
            leased,
            progress =>
            {
                (
                    active.Failures,
                    active.Begun,
                    active.MayHaveEffect,
                    active.Error) = (active.Failures + 1, false, true, ExceptionText.ShortOf(error));
                progress.Note(time.GetUtcNow(), step.Name, $"failed: {ExceptionText.ShortOf(error)}");
            },
            dueAt);
    }

    private static void RecordFailure(
        SagaProgress progress, SagaStepProgress active, SagaFailure failure, bool rejected, DateTimeOffset now)
    {
        var error = failure.Error;
        var isCompensation = active.Status == SagaStepStatus.Compensating;
        (
            active.Failures,
            active.Begun,
            active.MayHaveEffect,
            active.Error) = (active.Failures + 1, false, !rejected, ExceptionText.ShortOf(error));
        progress.Note(now, active.Name, $"failed for good: {ExceptionText.ShortOf(error)}");
        if (!isCompensation)
        {
            (progress.Error, progress.ErrorType) = (ExceptionText.ShortOf(error), error.GetType().FullName);
        }
    }
}
