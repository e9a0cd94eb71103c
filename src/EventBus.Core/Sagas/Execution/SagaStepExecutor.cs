using System.Runtime.InteropServices;
using System.Text.Json;

namespace EventBus;

/// <summary>
/// Executes the active step of a leased saga. Before a step runs, the store records that it begins. The result of a
/// step is saved in the same write as the beginning of the next step.
/// </summary>
internal sealed class SagaStepExecutor(
    SagaTransitions transitions,
    SagaStepRunner runner,
    SagaStateWriter writer,
    SagaFailureHandler failures,
    BusServices services)
{
    private const int MaxInterruptions = 10;
    private const int MaxKeyLength = 256;

    private readonly SagaDefinition definition = transitions.Definition;
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>Executes the step, or releases the saga until the reply that the step waits for.</summary>
    /// <returns>True if another step follows now.</returns>
    public Task<bool> ContinueAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active)
    {
        if (active.Interruptions > MaxInterruptions)
        {
            var error = new EventBusException($"The process ended {active.Interruptions} times while the step '{step.Name}' ran.");
            return failures.FailAsync(leased, step, active, new SagaFailure(error, active.Interruptions, SagaFailureKind.Final));
        }

        var waits = active.Status == SagaStepStatus.Waiting && leased.Progress.ReplyFor(active, step.ReplyName) is null;
        return waits ? WaitAsync(leased, step, active) : RunAsync(leased, step, active);
    }

    /// <summary>Releases the saga until its reply arrives, or fails the step if the wait has timed out.</summary>
    private async Task<bool> WaitAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active)
    {
        if (active.WaitsUntil <= time.GetUtcNow())
        {
            var error = new TimeoutException(
                $"The reply '{step.ReplyName}' to the step '{step.Name}' did not come within {step.ReplyTimeout}.");
            return await failures.FailAsync(leased, step, active, new SagaFailure(error, 1, SagaFailureKind.Final));
        }

        // A reply may arrive during this save, which then merges it: the saga is due at once.
        await writer.ReleaseUntilAsync(
            leased,
            _ => { },
            progress => progress.ReplyFor(active, step.ReplyName) is null ? active.WaitsUntil : time.GetUtcNow());
        return false;
    }

    /// <summary>Runs an attempt of the step, or the processing of its reply, and saves the result.</summary>
    private async Task<bool> RunAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active)
    {
        var state = new StoredState(leased.Progress.StateVersion, leased.Progress.State);
        var reply = active.Status == SagaStepStatus.Waiting ? leased.Progress.ReplyFor(active, step.ReplyName) : null;
        var direction = active.Status switch
        {
            SagaStepStatus.Compensating => SagaDirection.Compensate,
            SagaStepStatus.Waiting => SagaDirection.Reply,
            _ => SagaDirection.Execute,
        };
        if (direction == SagaDirection.Execute && step.HasWaitKey && leased.Entry.WaitKey is null)
        {
            string? key;
            try
            {
                key = await WaitKeyOfAsync(step, state);
            }
            catch (Exception exception)
            {
                return await failures.FailAsync(
                    leased,
                    step,
                    active,
                    new SagaFailure(exception, active.Failures + 1, KindOf(step, direction, exception)));
            }

            await writer.BeginWithWaitKeyAsync(leased, active, key);
        }
        else if (!active.Begun || leased.LeaseEnd <= time.GetUtcNow())
        {
            // If the reply arrived after the step had begun to wait, the store does not know yet that an attempt
            // begins. If the lease has ended, because this process was paused, another instance may have claimed the
            // saga: then this save fails.
            await writer.BeginAsync(leased, active);
        }

        var call = runner.CreateCall(
            leased,
            step,
            active,
            direction,
            reply is null ? default : JsonMarshal.GetRawUtf8Value(reply.Body).ToArray());
        var outcome = await runner.RunAsync(step, call, state, leased.Progress.TraceParent, leased.Lost);
        if (outcome.IsInterrupted)
        {
            await writer.ReleaseDuringStepAsync(leased, active);
            return false;
        }

        if (outcome.Error is { } error)
        {
            var kind = outcome.IsFromStep ? KindOf(step, direction, error) : SagaFailureKind.Retryable;
            return await failures.FailAsync(leased, step, active, new SagaFailure(error, call.Attempt, kind));
        }

        var outbox = call.Outbox.ConvertAll(SagaEventFactory.ToStored);
        await SaveAsync(leased, step, active, reply, new StepResult(direction, outcome.State, outbox));
        return true;
    }

    /// <summary>Saves the result of the step, and begins the next step or the wait for the reply.</summary>
    private async Task SaveAsync(LeasedSaga leased, SagaStepDefinition step, SagaStepProgress active, SagaReply? reply, StepResult result)
    {
        var unusedReplies = new List<SagaReply>();
        await writer.ChangeStatusAsync(leased, (progress, entry, now) =>
        {
            progress.State = result.State;
            progress.StateVersion = definition.StateVersion;
            progress.Outbox.AddRange(result.Outbox);
            if (result.Direction == SagaDirection.Compensate)
            {
                return transitions.Compensated(progress, entry, active, now);
            }

            if (result.Direction == SagaDirection.Execute && step.ReplyName is not null)
            {
                active.Status = SagaStepStatus.Waiting;
                active.Failures = 0;
                active.Interruptions = 0;
                active.Published = result.Outbox.Count;
                active.WaitsSince = now;
                active.WaitsUntil = now + step.ReplyTimeout;

                // If the reply has already arrived, its processing begins now.
                active.Begun = progress.ReplyFor(active, step.ReplyName) is not null;
                progress.AddHistory(now, step.Name, $"waits for {step.ReplyName}");
                return entry.Status;
            }

            if (reply is not null)
            {
                progress.Forget(reply);
                unusedReplies.AddRange(progress.Inbox);
            }

            return transitions.Executed(progress, entry, active, now);
        });
        unusedReplies.ForEach(unused => SagaReplies.Ignore(unused, definition.Name, leased.Id, services));
    }

    private async Task<string?> WaitKeyOfAsync(SagaStepDefinition step, StoredState state)
    {
        var key = await runner.WaitKeyAsync(step, state);
        if (key is null)
        {
            return null;
        }

        if (key.Length is 0 or > MaxKeyLength)
        {
            throw new InvalidOperationException(
                $"The key of the reply has {key.Length} characters; 1 to {MaxKeyLength} are allowed, as for the key of an event.");
        }

        return SagaReplies.WaitKeyOf(definition.Name, step.ReplyName!, key);
    }

    private static SagaFailureKind KindOf(SagaStepDefinition step, SagaDirection direction, Exception error) =>
        direction != SagaDirection.Compensate && step.IsRejection(error) ? SagaFailureKind.Rejected : SagaFailureKind.Retryable;

    private sealed record StepResult(SagaDirection Direction, JsonElement State, List<StoredSagaEvent> Outbox);
}
