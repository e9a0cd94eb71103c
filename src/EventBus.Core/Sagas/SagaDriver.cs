using System.Runtime.InteropServices;
using EventBus.Stores;

namespace EventBus;

/// <summary>Takes a held saga from step to step, until it ends, waits, or needs people. Before a step runs, it is kept that it may have run; how it ended is kept together with the beginning of the next.</summary>
internal sealed class SagaDriver(SagaDefinition definition, SagaMoves moves, SagaRunner runner, SagaAnnouncer announcer, SagaDriving driving)
{
    private const int MaxInterruptions = 10;
    private const int MaxErrorLength = 1_024;
    private const int MaxKey = 256;

    // The events of a saga are tried again on their own account; their publish had its whole time-out already.
    private static readonly TimeSpan SendBackoff = TimeSpan.FromSeconds(5);

    private readonly SagaKeeper keeper = driving.Keeper;
    private readonly RunEnvironment environment = driving.Environment;
    private readonly TimeProvider time = driving.Environment.Time;

    /// <summary>Goes on until there is nothing to do now.</summary>
    public async Task DriveAsync(SagaHold hold)
    {
        try
        {
            while (await GoOnAsync(hold))
            {
            }
        }
        catch (SagaLostException)
        {
            environment.Log.SagaLost(definition.Name, hold.Id);
        }
        catch (OperationCanceledException) when (environment.Abort.IsCancellationRequested)
        {
            // Another instance goes on when the lease has ended.
        }
    }

    private async Task<bool> GoOnAsync(SagaHold hold)
    {
        if (!await SendAsync(hold))
        {
            return false;
        }

        var progress = hold.Progress;
        if (SagaMoves.IsEnd(hold.Entry.Status))
        {
            if (progress.Held)
            {
                await LeaveAsync(hold, _ => { }, _ => null);
            }

            driving.Ended(hold.Id);
            return false;
        }

        if (driving.IsStopping)
        {
            await GiveBackAsync(hold);
            return false;
        }

        if (progress.Active() is not { } active || definition.Find(active.Name) is not { } step || (active.Status == SagaStepStatus.Compensating && !step.HasCompensation))
        {
            await HaltAsync(hold, $"This application knows no step '{progress.Active()?.Name}' of the saga '{definition.Name}' that could be {(hold.Entry.Status == SagaStatus.Compensating ? "undone" : "executed")}. Bring it back under its name, then retry the saga.", null);
            return false;
        }

        if (active.Interruptions > MaxInterruptions)
        {
            return await FailAsync(hold, step, active, new EventBusException($"The process ended {active.Interruptions} times while the step '{step.Name}' ran."), attempts: active.Interruptions, final: true);
        }

        return active.Status == SagaStepStatus.Waiting && progress.ReplyFor(step.ReplyName) is null
            ? await WaitAsync(hold, step, active)
            : await RunAsync(hold, step, active);
    }

    /// <summary>Waits for the reply, without holding anything; or finds that it has waited long enough.</summary>
    private async Task<bool> WaitAsync(SagaHold hold, SagaStep step, SagaStepProgress active)
    {
        if (active.WaitsUntil <= time.GetUtcNow())
        {
            return await FailAsync(hold, step, active, new TimeoutException($"The reply '{step.ReplyName}' to the step '{step.Name}' did not come within {step.ReplyTimeout}."), attempts: 1, final: true);
        }

        // A reply may come while this is being saved.
        await LeaveAsync(hold, _ => { }, progress => progress.ReplyFor(step.ReplyName) is null ? active.WaitsUntil : time.GetUtcNow());
        return false;
    }

    private async Task<bool> RunAsync(SagaHold hold, SagaStep step, SagaStepProgress active)
    {
        var state = new StoredState(hold.Progress.StateVersion, hold.Progress.State);
        var reply = active.Status == SagaStepStatus.Waiting ? hold.Progress.ReplyFor(step.ReplyName) : null;
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
                key = WaitKeyOf(step, state);
            }
            catch (Exception exception)
            {
                return await FailAsync(hold, step, active, exception, active.Failures + 1, final: false);
            }

            // Before it runs, so that a reply finds the saga however early it comes.
            await keeper.SaveAsync(hold, _ => { }, (_, entry, until) => entry with { DueAt = until, WaitKey = key });
        }
        else if (hold.LeaseEnd <= time.GetUtcNow())
        {
            // It was frozen: somebody else may have it by now, and then this finds out.
            await keeper.SaveAsync(hold, _ => { }, static (_, entry, until) => entry with { DueAt = until });
        }

        SagaCall? call = null;
        call = new SagaCall(hold.Id, step.Name, direction, active.Failures + active.Interruptions + 1, hold.Entry.Claim)
        {
            Reply = reply is null ? default : JsonMarshal.GetRawUtf8Value(reply.Body).ToArray(),
            Create = (@event, options, ordinal) => announcer.Create(@event, options, call!, ordinal),
        };
        var outcome = await runner.RunAsync(step, call, state, hold.Progress.TraceParent, hold.Lost);
        if (outcome.IsInterrupted)
        {
            await GiveBackAsync(hold);
            return false;
        }

        if (outcome.Error is { } error)
        {
            return await FailAsync(hold, step, active, error, call.Attempt, final: false);
        }

        var outbox = call.Outbox.ConvertAll(SagaAnnouncer.Keep);
        await SaveTurnAsync(hold, (progress, entry, now) =>
        {
            (progress.State, progress.StateVersion) = (outcome.State, definition.StateVersion);
            progress.Outbox.AddRange(outbox);
            if (direction == SagaDirection.Compensate)
            {
                return moves.Compensated(progress, entry, active, now);
            }

            if (direction == SagaDirection.Execute && step.ReplyName is not null)
            {
                (active.Status, active.Begun, active.Failures, active.Interruptions) = (SagaStepStatus.Waiting, false, 0, 0);
                (active.WaitsSince, active.WaitsUntil) = (now, now + step.ReplyTimeout);
                progress.Note(now, step.Name, $"waits for {step.ReplyName}");
                return entry.Status;
            }

            if (reply is not null)
            {
                progress.Use(reply);
            }

            return moves.Executed(progress, entry, active, now);
        });
        return true;
    }

    private string? WaitKeyOf(SagaStep step, StoredState state) => runner.WaitKey(step, state) switch
    {
        null => null,
        { Length: 0 or > MaxKey } key => throw new InvalidOperationException($"The key of the reply has {key.Length} characters; 1 to {MaxKey} are allowed, as for the key of an event."),
        var key => SagaReplies.WaitKeyOf(definition.Name, step.ReplyName!, key),
    };

    /// <summary>A run failed, or will not be made: start it again later, or end it.</summary>
    private async Task<bool> FailAsync(SagaHold hold, SagaStep step, SagaStepProgress active, Exception error, int attempts, bool final)
    {
        var direction = active.Status == SagaStepStatus.Compensating ? SagaDirection.Compensate : SagaDirection.Execute;
        if (error is SagaStateException)
        {
            await HaltAsync(hold, error.Message, error);
            return false;
        }

        var retry = step.RetryOf(direction);
        var rejected = !final && direction == SagaDirection.Execute && step.IsRejection(error);
        if (!final && !rejected && !retry.IsPermanent(error) && retry.Allows(active.Failures + 1))
        {
            var dueAt = time.GetUtcNow() + retry.DelayAfter(active.Failures + 1);
            environment.Log.SagaWillRetry(definition.Name, hold.Id, step.Name, direction.ToString().ToLowerInvariant(), attempts, dueAt, error);
            await LeaveAsync(
                hold,
                progress =>
                {
                    (active.Failures, active.Begun, active.Error) = (active.Failures + 1, false, OneLine(error));
                    progress.Note(time.GetUtcNow(), step.Name, $"failed: {OneLine(error)}");
                },
                dueAt);
            return false;
        }

        void Blame(SagaProgress progress, DateTimeOffset now)
        {
            (active.Failures, active.Begun, active.Error) = (active.Failures + 1, false, OneLine(error));
            progress.Note(now, step.Name, $"failed for good: {OneLine(error)}");
            if (direction == SagaDirection.Execute)
            {
                (progress.Error, progress.ErrorType) = (OneLine(error), error.GetType().FullName);
            }
        }

        if (direction == SagaDirection.Compensate)
        {
            await HaltAsync(hold, $"The compensation of '{step.Name}' failed: {OneLine(error)}", error, Blame);
            return false;
        }

        if (moves.NeedsPeople(hold.Progress, step, rejected) is { } why)
        {
            await HaltAsync(hold, $"{why} {OneLine(error)}", error, (progress, now) =>
            {
                progress.FailedStep = step.Name;
                Blame(progress, now);
            });
            return false;
        }

        environment.Log.SagaCompensates(definition.Name, hold.Id, step.Name, attempts, error);
        await SaveTurnAsync(hold, (progress, entry, now) =>
        {
            Blame(progress, now);
            return moves.Failed(progress, entry, active, rejected, now);
        });
        return true;
    }

    private async Task HaltAsync(SagaHold hold, string why, Exception? error, Action<SagaProgress, DateTimeOffset>? blame = null)
    {
        environment.Log.SagaNeedsAttention(definition.Name, hold.Id, hold.Progress.Active()?.Name, why, error);
        driving.Alerts?.Expect();
        try
        {
            await SaveTurnAsync(hold, (progress, entry, now) =>
            {
                blame?.Invoke(progress, now);
                return moves.Halt(progress, why, now);
            });
        }
        finally
        {
            driving.Alerts?.Reported();
        }

        driving.Ended(hold.Id);
    }

    /// <summary>Sends what is kept to be sent.</summary>
    /// <returns>False when it could not be sent, and the saga was left for later.</returns>
    private async Task<bool> SendAsync(SagaHold hold)
    {
        if (hold.Progress.Outbox.Count == 0 || hold.IsDispatched)
        {
            return true;
        }

        try
        {
            await driving.Publisher.SendFollowUpsAsync([.. hold.Progress.Outbox.Select(kept => StoreFormat.Read(kept.Attributes, kept.Body, kept.Id, kept.Name))]);
            hold.IsDispatched = true;
            return true;
        }
        catch (PublishException exception) when (exception.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber && !SagaMoves.IsEnd(hold.Entry.Status))
        {
            // It never can be sent as things are.
            await HaltAsync(hold, exception.Message, exception, (progress, _) =>
            {
                progress.EventsRefused = true;
                (progress.Active() ?? new SagaStepProgress { Name = "", Status = default }).Begun = false;
            });
            return false;
        }
        catch (Exception exception) when (!environment.Abort.IsCancellationRequested)
        {
            var dueAt = time.GetUtcNow() + SendBackoff;
            environment.Log.SagaEventsWait(definition.Name, hold.Id, dueAt, exception);
            await LeaveAsync(hold, NotBegun, dueAt);
            return false;
        }
    }

    private Task GiveBackAsync(SagaHold hold) => LeaveAsync(hold, NotBegun, time.GetUtcNow());

    /// <summary>The step that is kept as begun will not be run now.</summary>
    private static void NotBegun(SagaProgress progress)
    {
        if (progress.Active() is { } active)
        {
            active.Begun = false;
        }
    }

    private Task LeaveAsync(SagaHold hold, Action<SagaProgress> change, DateTimeOffset dueAt) => LeaveAsync(hold, change, _ => dueAt);

    /// <summary>Lets go of it, for whoever comes when it is due.</summary>
    private async Task LeaveAsync(SagaHold hold, Action<SagaProgress> change, Func<SagaProgress, DateTimeOffset?> dueAt)
    {
        await keeper.SaveAsync(
            hold,
            progress =>
            {
                change(progress);
                progress.Held = false;
            },
            (progress, entry, _) => entry with { DueAt = dueAt(progress) });
        driving.Wake();
    }

    /// <summary>Changes the progress, saves it with the status that follows, and measures how long the saga had the one before.</summary>
    private async Task SaveTurnAsync(SagaHold hold, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaStatus> turn)
    {
        var (before, since, now) = (hold.Entry.Status, hold.Progress.StatusSince, time.GetUtcNow());
        var status = before;
        await keeper.SaveAsync(
            hold,
            progress =>
            {
                status = turn(progress, hold.Entry, now);
                progress.Held = status != SagaStatus.NeedsAttention && !(SagaMoves.IsEnd(status) && progress.Outbox.Count == 0);
            },
            (progress, entry, until) => moves.With(entry, status, now) with
            {
                DueAt = progress.Held ? until : null,
                AlertAt = status == SagaStatus.NeedsAttention && driving.Alerts is { IsWanted: true } ? now : null,
                WaitKey = progress.Active() is { Status: SagaStepStatus.Waiting } ? entry.WaitKey : null,
            });
        if (status != before)
        {
            environment.Diagnostics.SagaTurned(definition.Name, before, status, now - since);
            if (SagaMoves.IsEnd(status))
            {
                environment.Log.SagaEnded(definition.Name, hold.Id, status);
            }
        }
    }

    private static string OneLine(Exception exception)
    {
        var text = $"{exception.GetType().Name}: {exception.Message}".ReplaceLineEndings(" ");
        return text.Length <= MaxErrorLength ? text : text[..MaxErrorLength];
    }
}

/// <summary>What the drivers of all sagas of a bus share.</summary>
internal sealed record SagaDriving(SagaKeeper Keeper, Publisher Publisher, AlertLoop? Alerts, RunEnvironment Environment)
{
    /// <summary>Something may be due.</summary>
    public required Action Wake { get; init; }

    /// <summary>A saga has ended, or needs people.</summary>
    public required Action<string> Ended { get; init; }

    /// <summary>The bus stops: what is between two steps is left to others.</summary>
    public bool IsStopping { get; set; }
}
