using System.Runtime.InteropServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Executes the steps of a leased saga until it ends, waits, or needs attention. Before a step runs, the store records
/// that it may have run. The result of a step is saved in the same write as the beginning of the next.
/// </summary>
internal sealed class SagaExecutor(SagaDefinition definition, SagaTransitions moves, SagaStepRunner runner, SagaEventFactory announcer, SagaServices driving)
{
    private const int MaxInterruptions = 10;
    private const int MaxKey = 256;

    // The delay before a saga's events are sent again. It does not count as a retry of a step: the failed publish has
    // already used its full timeout.
    private static readonly TimeSpan SendBackoff = TimeSpan.FromSeconds(5);

    private readonly string sending = $"events of the saga {definition.Name}";
    private readonly SagaStateWriter writer = new(definition, moves, driving);
    private readonly SagaRepository keeper = driving.Keeper;
    private readonly BusServices services = driving.Services;
    private readonly TimeProvider time = driving.Services.StoreTime;

    /// <summary>Processes the saga until nothing is left to do now.</summary>
    public async Task DriveAsync(LeasedSaga hold)
    {
        try
        {
            while (await GoOnAsync(hold))
            {
            }
        }
        catch (SagaLeaseLostException)
        {
            services.Log.SagaLost(definition.Name, hold.Id);
        }
        catch (OperationCanceledException) when (services.Abort.IsCancellationRequested)
        {
            // Another instance continues after the lease has ended.
        }
        catch (Exception exception)
        {
            await GiveUpAsync(hold, exception);
        }
    }

    /// <summary>
    /// Marks a saga that cannot continue as needing attention, in the state in which it was last saved. If that write
    /// fails too, the saga stays until its lease ends.
    /// </summary>
    public async Task GiveUpAsync(LeasedSaga hold, Exception exception)
    {
        try
        {
            await writer.HaltAfterAsync(hold, exception);
            keeper.Accept(hold.Id);
        }
        catch (Exception refusal) when (!keeper.Closing.IsCancellationRequested)
        {
            await keeper.RefuseAsync(hold.Entry, refusal);
        }
    }

    private async Task<bool> GoOnAsync(LeasedSaga hold)
    {
        var progress = hold.Progress;
        if (SagaTransitions.IsEnd(hold.Entry.Status))
        {
            // It has ended, even if its events are not sent yet.
            driving.Ended(hold.Id);
        }

        if (!await SendAsync(hold))
        {
            return false;
        }

        if (SagaTransitions.IsEnd(hold.Entry.Status))
        {
            if (progress.Held)
            {
                await writer.LeaveAsync(hold, _ => { }, _ => null);
            }

            return false;
        }

        if (driving.IsStopping)
        {
            await writer.GiveBackAsync(hold);
            return false;
        }

        if (progress.Active() is not { } active || definition.Find(active.Name) is not { } step || (active.Status == SagaStepStatus.Compensating && !step.HasCompensation))
        {
            await writer.HaltAsync(hold, $"This application knows no step '{progress.Active()?.Name}' of the saga '{definition.Name}' that could be {(hold.Entry.Status == SagaStatus.Compensating ? "undone" : "executed")}. Bring it back under its name, then retry the saga.", null, NotRun);
            return false;
        }

        if (active.Interruptions > MaxInterruptions)
        {
            return await FailAsync(hold, step, active, new EventBusException($"The process ended {active.Interruptions} times while the step '{step.Name}' ran."), attempts: active.Interruptions, Ending.Final);
        }

        return active.Status == SagaStepStatus.Waiting && progress.ReplyFor(active, step.ReplyName) is null
            ? await WaitAsync(hold, step, active)
            : await RunAsync(hold, step, active);
    }

    /// <summary>Releases the saga until its reply arrives, or fails the step if the wait has timed out.</summary>
    private async Task<bool> WaitAsync(LeasedSaga hold, SagaStepDefinition step, SagaStepProgress active)
    {
        if (active.WaitsUntil <= time.GetUtcNow())
        {
            return await FailAsync(hold, step, active, new TimeoutException($"The reply '{step.ReplyName}' to the step '{step.Name}' did not come within {step.ReplyTimeout}."), attempts: 1, Ending.Final);
        }

        // A reply may arrive during this save.
        await writer.LeaveAsync(hold, _ => { }, progress => progress.ReplyFor(active, step.ReplyName) is null ? active.WaitsUntil : time.GetUtcNow());
        return false;
    }

    private async Task<bool> RunAsync(LeasedSaga hold, SagaStepDefinition step, SagaStepProgress active)
    {
        var state = new StoredState(hold.Progress.StateVersion, hold.Progress.State);
        var reply = active.Status == SagaStepStatus.Waiting ? hold.Progress.ReplyFor(active, step.ReplyName) : null;
        var direction = active.Status switch
        {
            SagaStepStatus.Compensating => SagaDirection.Compensate,
            SagaStepStatus.Waiting => SagaDirection.Reply,
            _ => SagaDirection.Execute,
        };
        if (direction == SagaDirection.Execute && step.HasWaitKey && hold.Entry.WaitKey is null)
        {
            string? key;
            try
            {
                key = await WaitKeyOfAsync(step, state);
            }
            catch (Exception exception)
            {
                return await FailAsync(hold, step, active, exception, active.Failures + 1, EndingOf(step, direction, exception));
            }

            // Saved before the step runs, so that even an early reply finds the saga.
            await keeper.SaveAsync(
                hold,
                progress =>
                {
                    active.Begun = true;
                    progress.Inbox.FindAll(early => !progress.Concerns(early, key)).ForEach(progress.Forget);
                },
                (_, entry, until) => entry with { DueAt = until, WaitKey = key });
        }
        else if (!active.Begun || hold.LeaseEnd <= time.GetUtcNow())
        {
            // Either a reply arrived when the step began to wait, or this process was paused. If another instance has
            // claimed the saga meanwhile, this save fails.
            await keeper.SaveAsync(hold, _ => active.Begun = true, static (_, entry, until) => entry with { DueAt = until });
        }

        SagaCall? call = null;
        call = new SagaCall(hold.Id, step.Name, direction, active.Failures + active.Interruptions + 1, hold.Entry.Claim)
        {
            EffectPrefix = driving.Publisher.EffectPrefix,
            Reply = reply is null ? default : JsonMarshal.GetRawUtf8Value(reply.Body).ToArray(),
            Create = (@event, options, ordinal) => announcer.Create(@event, options, call!, ordinal),
        };
        var outcome = await runner.RunAsync(step, call, state, hold.Progress.TraceParent, hold.Lost);
        if (outcome.IsInterrupted)
        {
            await writer.GiveBackInStepAsync(hold, active);
            return false;
        }

        if (outcome.Error is { } error)
        {
            return await FailAsync(hold, step, active, error, call.Attempt, outcome.IsAnswer ? EndingOf(step, direction, error) : Ending.Failed);
        }

        var ignored = new List<SagaReply>();
        var outbox = call.Outbox.ConvertAll(SagaEventFactory.Keep);
        await writer.TurnAsync(hold, (progress, entry, now) =>
        {
            (progress.State, progress.StateVersion) = (outcome.State, definition.StateVersion);
            progress.Outbox.AddRange(outbox);
            if (direction == SagaDirection.Compensate)
            {
                return moves.Compensated(progress, entry, active, now);
            }

            if (direction == SagaDirection.Execute && step.ReplyName is not null)
            {
                // A reply that has already arrived is processed next.
                (active.Status, active.Failures, active.Interruptions, active.Published) = (SagaStepStatus.Waiting, 0, 0, outbox.Count);
                active.Begun = progress.ReplyFor(active, step.ReplyName) is not null;
                (active.WaitsSince, active.WaitsUntil) = (now, now + step.ReplyTimeout);
                progress.Note(now, step.Name, $"waits for {step.ReplyName}");
                return entry.Status;
            }

            if (reply is not null)
            {
                progress.Forget(reply);
                ignored.AddRange(progress.Inbox);
            }

            return moves.Executed(progress, entry, active, now);
        });
        ignored.ForEach(second => SagaReplies.Ignore(second, definition.Name, hold.Id, services));
        return true;
    }

    private async Task<string?> WaitKeyOfAsync(SagaStepDefinition step, StoredState state) => await runner.WaitKeyAsync(step, state) switch
    {
        null => null,
        { Length: 0 or > MaxKey } key => throw new InvalidOperationException($"The key of the reply has {key.Length} characters; 1 to {MaxKey} are allowed, as for the key of an event."),
        var key => SagaReplies.WaitKeyOf(definition.Name, step.ReplyName!, key),
    };

    /// <summary>
    /// Handles a failed attempt, or an attempt that will not be made: schedules a retry, compensates the saga, or marks
    /// it as needing attention.
    /// </summary>
    private async Task<bool> FailAsync(LeasedSaga hold, SagaStepDefinition step, SagaStepProgress active, Exception error, int attempts, Ending ending)
    {
        var direction = active.Status == SagaStepStatus.Compensating ? SagaDirection.Compensate : SagaDirection.Execute;
        if (error is SagaStateException)
        {
            await writer.HaltAsync(hold, ExceptionText.MessageOf(error), error, NotRun);
            return false;
        }

        var retry = step.RetryOf(direction);

        // If an earlier attempt may have had an effect, a rejection of this one does not exclude that effect.
        var rejected = ending == Ending.Refused && !active.MayHaveEffect;
        if (ending == Ending.Failed && !retry.IsPermanent(error) && retry.Allows(active.Failures + 1))
        {
            var dueAt = time.GetUtcNow() + retry.DelayAfter(active.Failures + 1);
            services.Log.SagaWillRetry(definition.Name, hold.Id, step.Name, direction.ToString().ToLowerInvariant(), attempts, dueAt, error);
            await writer.LeaveAsync(
                hold,
                progress =>
                {
                    (active.Failures, active.Begun, active.MayHaveEffect, active.Error) = (active.Failures + 1, false, true, SagaStateWriter.OneLine(error));
                    progress.Note(time.GetUtcNow(), step.Name, $"failed: {SagaStateWriter.OneLine(error)}");
                },
                dueAt);
            return false;
        }

        void Blame(SagaProgress progress, DateTimeOffset now)
        {
            (active.Failures, active.Begun, active.MayHaveEffect, active.Error) = (active.Failures + 1, false, !rejected, SagaStateWriter.OneLine(error));
            progress.Note(now, step.Name, $"failed for good: {SagaStateWriter.OneLine(error)}");
            if (direction == SagaDirection.Execute)
            {
                (progress.Error, progress.ErrorType) = (SagaStateWriter.OneLine(error), error.GetType().FullName);
            }
        }

        if (direction == SagaDirection.Compensate)
        {
            await writer.HaltAsync(hold, $"The compensation of '{step.Name}' failed: {SagaStateWriter.OneLine(error)}", error, Blame);
            return false;
        }

        if (moves.NeedsPeople(hold.Progress, step, rejected) is { } why)
        {
            await writer.HaltAsync(hold, $"{why} {SagaStateWriter.OneLine(error)}", error, (progress, now) =>
            {
                progress.FailedStep = step.Name;
                Blame(progress, now);
            });
            return false;
        }

        services.Log.SagaCompensates(definition.Name, hold.Id, step.Name, attempts, error);
        await writer.TurnAsync(hold, (progress, entry, now) =>
        {
            Blame(progress, now);
            return moves.Failed(progress, entry, active, rejected, now);
        });
        return true;
    }

    /// <summary>Sends the events in the outbox.</summary>
    /// <returns>False if they could not be sent and the saga was released for later.</returns>
    private async Task<bool> SendAsync(LeasedSaga hold)
    {
        if (hold.Progress.Outbox.Count == 0 || hold.IsDispatched)
        {
            return true;
        }

        var kept = hold.Progress.Outbox;
        var problems = await driving.Publisher.TrySendAsync([.. kept.Select(item => StoreFormat.Read(item.Attributes, item.Body, item.Id, item.Name))]);
        var left = kept.Zip(problems).Where(item => item.Second is not null).ToList();
        if (left.Find(item => !IsRefusal(item.Second!)) is { Second: { } problem })
        {
            var dueAt = time.GetUtcNow() + SendBackoff;
            services.Log.Failing(sending, problem, full => full.SagaEventsWait(definition.Name, hold.Id, dueAt, problem));
            await writer.LeaveAsync(
                hold,
                progress =>
                {
                    progress.Outbox = left.ConvertAll(item => item.First);
                    SagaStateWriter.NotBegun(progress);
                },
                dueAt);
            return false;
        }

        services.Log.Working(sending);
        if (left.Count > 0 && !SagaTransitions.IsEnd(hold.Entry.Status))
        {
            // These events cannot be sent without a change of the configuration or the application.
            await writer.HaltAsync(hold, ExceptionText.MessageOf(left[0].Second!), left[0].Second, (progress, _) =>
            {
                (progress.EventsRefused, progress.Outbox) = (true, left.ConvertAll(item => item.First));
                SagaStateWriter.NotBegun(progress);
            });
            return false;
        }

        // After the end of the saga no operator can decide about them.
        left.ForEach(item => services.Log.SagaEventDropped(definition.Name, hold.Id, item.First.Name, item.First.Id, item.Second!));
        return hold.IsDispatched = true;
    }

    private static Ending EndingOf(SagaStepDefinition step, SagaDirection direction, Exception error) => direction != SagaDirection.Compensate && step.IsRejection(error) ? Ending.Refused : Ending.Failed;

    private static void NotRun(SagaProgress progress, DateTimeOffset now) => SagaStateWriter.NotBegun(progress);

    private static bool IsRefusal(PublishException problem) => problem.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber;

    /// <summary>The kind of failure of an attempt.</summary>
    private enum Ending
    {
        /// <summary>The step may be retried.</summary>
        Failed,

        /// <summary>The called service reports that it had no effect.</summary>
        Refused,

        /// <summary>The step is not retried.</summary>
        Final,
    }
}
