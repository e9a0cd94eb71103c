using System.Runtime.InteropServices;
using System.Text.Json;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Runs a step of a saga in its own scope, within its timeout, and returns its result.</summary>
internal sealed class SagaStepRunner(
    SagaDefinition definition,
    SagaEventFactory events,
    int maxStateBytes,
    IServiceScopeFactory scopes,
    BusServices services)
{
    // The time in which a step must end after its token was cancelled. A step that does not end is abandoned.
    private static readonly TimeSpan GraceAfterCancel = TimeSpan.FromSeconds(1);

    /// <summary>Creates the data of the next attempt of a step.</summary>
    public SagaCall CreateCall(
        LeasedSaga leased,
        SagaStepDefinition step,
        SagaStepProgress active,
        SagaDirection direction,
        ReadOnlyMemory<byte> reply)
    {
        // The delegate uses the call that it belongs to, so the variable is declared before the call is created.
        SagaCall? call = null;
        var attempt = active.Failures + active.Interruptions + 1;
        call = new SagaCall(leased.Id, step.Name, direction, attempt, fencingToken: leased.Entry.Claim)
        {
            EffectPrefix = events.EffectPrefix,
            Reply = reply,
            CreateEnvelope = (@event, options, ordinal) => events.Create(@event, options, call!, ordinal),
        };
        return call;
    }

    /// <summary>Runs an attempt of a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="call">The attempt.</param>
    /// <param name="state">The state before the step.</param>
    /// <param name="traceParent">The trace parent of the saga.</param>
    /// <param name="lost">Cancelled when another instance may have claimed the saga.</param>
    /// <exception cref="SagaLeaseLostException">Another instance may have claimed the saga.</exception>
    public async Task<SagaOutcome> RunAsync(
        SagaStepDefinition step,
        SagaCall call,
        StoredState state,
        string? traceParent,
        CancellationToken lost)
    {
        using var activity = services.Diagnostics.Sagas.StartStep(
            definition.Name,
            call.SagaId,
            call.Step,
            call.Direction.ToString().ToLowerInvariant(),
            call.Attempt,
            traceParent);
        using var timeout = new CancellationTokenSource(step.Timeout, services.StoreTime);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, lost, services.Abort);
        var running = InvokeAsync(step, call, state, linked.Token);
        var outcome = await OutcomeAsync(step, call, running, timeout.Token, lost, linked.Token);
        SagaDiagnostics.StepEnded(activity, outcome.Error);
        return outcome;
    }

    /// <summary>Deserializes a stored state.</summary>
    public async Task<object> ReadAsync(StoredState state)
    {
        await using var scope = scopes.CreateAsyncScope();
        return definition.Registration.Read(scope.ServiceProvider, state, definition.Json);
    }

    /// <summary>Returns the state unchanged. Throws if it is too large to be stored with every step.</summary>
    public JsonElement CheckSize(JsonElement state)
    {
        var size = JsonMarshal.GetRawUtf8Value(state).Length;
        if (size > maxStateBytes)
        {
            throw new InvalidOperationException(
                $"The state has {size:N0} bytes as JSON; at most {maxStateBytes:N0} are allowed."
                    + $"{LargestMembers.Describe(state, definition.Json)} Keep ids in it, not whole objects; or raise "
                    + $"{nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxBodyBytes)}.");
        }

        return state;
    }

    /// <summary>Gets the key of the reply that the step will wait for; null if the saga's id is used.</summary>
    public async Task<string?> WaitKeyAsync(SagaStepDefinition step, StoredState state)
    {
        await using var scope = scopes.CreateAsyncScope();
        return definition.Registration.WaitKey(scope.ServiceProvider, step.Name, state, definition.Json);
    }

    private async Task<JsonElement> InvokeAsync(SagaStepDefinition step, SagaCall call, StoredState state, CancellationToken token)
    {
        await using var scope = scopes.CreateAsyncScope();
        return CheckSize(
            await definition.Registration.InvokeAsync(scope.ServiceProvider, call, state, definition.Json, step.ReplyJson, token));
    }

    /// <summary>Waits for the end of an attempt and determines its outcome.</summary>
    /// <exception cref="SagaLeaseLostException">Another instance may have claimed the saga.</exception>
    private async Task<SagaOutcome> OutcomeAsync(
        SagaStepDefinition step,
        SagaCall call,
        Task<JsonElement> running,
        CancellationToken timeout,
        CancellationToken lost,
        CancellationToken linked)
    {
        // Neither wait throws: the result of the task is read afterwards.
        await ((Task)running).WaitAsync(linked).Quietly();
        if (!running.IsCompleted)
        {
            await ((Task)running).WaitAsync(GraceAfterCancel, services.StoreTime, CancellationToken.None).Quietly();
        }

        call.End();
        try
        {
            if (!running.IsCompleted)
            {
                // The step has ignored the cancellation. It is abandoned, and counts as an attempt that was cancelled.
                _ = running.Observed();
                services.Log.SagaStepLeftBehind(definition.Name, call.SagaId, step.Name);
                throw new OperationCanceledException(linked);
            }

            return new SagaOutcome(await running, null);
        }
        catch (Exception) when (linked.IsCancellationRequested && !timeout.IsCancellationRequested)
        {
            // The bus aborts, or the lease is lost. The exception may be of any type, because clients wrap the
            // cancellation of their calls in their own exceptions.
            if (lost.IsCancellationRequested)
            {
                throw new SagaLeaseLostException();
            }

            return SagaOutcome.Interrupted;
        }
        catch (OperationCanceledException exception) when (timeout.IsCancellationRequested)
        {
            return new SagaOutcome(default, new TimeoutException(
                $"The step '{step.Name}' did not end within its timeout of {step.Timeout}: it is unknown whether it had an effect.",
                exception));
        }
        catch (Exception exception)
        {
            // An exception after the timeout may be a wrapped cancellation, so it says nothing about the effect.
            return new SagaOutcome(default, exception) { IsFromStep = !call.HasSucceeded && !linked.IsCancellationRequested };
        }
    }
}
