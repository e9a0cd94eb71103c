using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Runs an event through one subscription: reads it, asks its guards and calls its handler. Returns the reason when it
/// was not handled; other types decide how to settle it.
/// </summary>
internal sealed class EventRunner(SubscriptionRuntime subscription, EventReader reader, BusServices services)
{
    // The time that a handler has to end after its token is cancelled. After it, the handler is abandoned.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    // The minimum wait, after a start or a pause, before a deferred event is given up (its own timeout if that is
    // shorter): the event that it waits for is probably still in the queue of the broker.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DeadlineTokens deadlines = new(services.StoreTime, subscription.HandlerTimeout, TimeSpan.FromSeconds(5), services.StoreTime.TimestampFrequency, services.Abort);
    private readonly DateTimeOffset startedAt = services.StoreTime.GetUtcNow();
    private readonly BusDiagnostics diagnostics = services.Diagnostics;
    private readonly EventDelegate pipeline = subscription.Pipeline;

    /// <summary>Gets the token of a handler that starts now.</summary>
    /// <param name="now">The current time as a timestamp.</param>
    public CancellationToken DeadlineFrom(long now) => deadlines.Token(now);

    /// <summary>
    /// Reads the event, asks its guards and handles it. The guards share one timeout. The handler has a timeout of its
    /// own, which begins when it is called: waiting for a store before that is not part of the attempt.
    /// </summary>
    /// <param name="context">The context of the delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="lost">Cancelled when another instance has taken over the event.</param>
    /// <returns>
    /// The reason why it was not handled, null if it was handled or need not be; and its number if a guard counts.
    /// </returns>
    public async ValueTask<(Failure? Failure, long? Position)> RunAsync(DeliveryContext context, Envelope envelope, CancellationToken lost)
    {
        long? position = null;
        try
        {
            if (reader.Read(envelope, context, subscription) is { } rejection)
            {
                return (new Rejected(rejection), null);
            }

            if (subscription.Guard is not { } guard)
            {
                return (await HandleObservedAsync(context, envelope, lost), null);
            }

            var judgement = await JudgeAsync(guard, context, envelope, lost);
            position = judgement.Position;
            if (judgement.Waiting is { } waiting)
            {
                return (waiting with { NotGivenUpBefore = NotGivenUpBefore(waiting) }, position);
            }

            var failure = judgement.Decision == OrderDecision.Skip ? null : await HandleObservedAsync(context, envelope, lost);
            if (failure is null)
            {
                await guard.AdvanceAsync(envelope, position);
            }

            return (failure, position);
        }
        catch (Exception) when (services.Abort.IsCancellationRequested)
        {
            return (Interrupted.Instance, position);
        }
        catch (StoreRefusedException exception)
        {
            // A store refused to read the order of the key, or whether the event was handled before: no retry would
            // change that.
            return (Rejected.Unstorable(exception), position);
        }
        catch (Exception exception)
        {
            // Not a failure of the handler, which is an outcome, but of an upcast, a guard or a listener of traces. The
            // delivery must be settled all the same.
            return (new Threw(exception), position);
        }
    }

    /// <summary>
    /// Asks the guards. If the handler is not called afterwards, closes the scope that the guards used.
    /// </summary>
    private async Task<OrderEvaluation> JudgeAsync(OrderGuardEvaluator guard, DeliveryContext context, Envelope envelope, CancellationToken lost)
    {
        var proceeds = false;
        try
        {
            var judgement = await guard.JudgeAsync(context, envelope, context.State is { MayBePassed: true }, () => FreshDeadline, lost);
            proceeds = judgement.Decision == OrderDecision.Proceed;
            return judgement;
        }
        finally
        {
            await (proceeds ? ValueTask.CompletedTask : CloseScopeAsync(context));
        }
    }

    /// <summary>
    /// Gets the earliest time to give up a deferred event: after a start or a pause, the event that it waits for may
    /// still be in transit.
    /// </summary>
    private DateTimeOffset NotGivenUpBefore(Deferred waiting)
    {
        var patience = waiting.Timeout < Patience ? waiting.Timeout : Patience;
        return (subscription.CircuitBreaker?.OpenSince(startedAt) ?? startedAt) + patience;
    }

    private static ValueTask CloseScopeAsync(DeliveryContext context) => context.State?.CloseScopeAsync() ?? ValueTask.CompletedTask;

    private CancellationToken FreshDeadline => DeadlineFrom(services.StoreTime.GetTimestamp());

    private async Task<Failure?> HandleObservedAsync(DeliveryContext context, Envelope envelope, CancellationToken lost)
    {
        if (!diagnostics.ObservesProcess)
        {
            return await HandleOnceAsync(context, envelope, lost);
        }

        var startedAt = services.StoreTime.GetTimestamp();
        var handled = new ProcessedEvent(context.EventName, context.EventId, context.CorrelationId, context.Subscription, context.Attempt);
        using var activity = diagnostics.StartProcess(handled, envelope.TraceParent, envelope.TraceState);
        var failure = await HandleOnceAsync(context, envelope, lost);
        diagnostics.Processed(activity, handled, startedAt, (failure as Threw)?.Exception);
        return failure;
    }

    private async Task<Failure?> HandleOnceAsync(DeliveryContext context, Envelope envelope, CancellationToken lost)
    {
        if (subscription.Once is { } once)
        {
            return await HandleOnceAsync(once, context, envelope, lost);
        }

        var deadline = FreshDeadline;
        using var either = lost.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(deadline, lost) : null;
        var token = either?.Token ?? deadline;
        return subscription.CircuitBreaker is null ? await OutcomeAsync(context, Start(context, token), token) : await StartAsync(context, null, token);
    }

    private async Task<Failure?> HandleOnceAsync(OnceStep once, DeliveryContext context, Envelope envelope, CancellationToken lost)
    {
        var started = false;
        try
        {
            return await once.RunAsync(
                context,
                envelope,
                (running, commit) =>
                {
                    started = true;
                    return StartAsync(context, commit, running);
                },
                () => FreshDeadline,
                lost);
        }
        finally
        {
            await (started ? ValueTask.CompletedTask : CloseScopeAsync(context));
        }
    }

    /// <summary>
    /// Calls the handler. Returns its exceptions in the task, and undoes its changes to the ambient state of the
    /// caller.
    /// </summary>
    public Task Start(DeliveryContext context, CancellationToken token)
    {
        var ambient = AmbientState.Current;
        try
        {
            return pipeline(context, token) ?? throw new InvalidOperationException("The handler, or a middleware given to bus.Use, returned null instead of a task.");
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
        finally
        {
            ambient.Restore();
        }
    }

    /// <summary>
    /// Runs the handler and reports a success to the circuit breaker. Failures are reported later, when it is certain
    /// that the handler caused them.
    /// </summary>
    private async Task<Failure?> StartAsync(DeliveryContext context, Commit? commit, CancellationToken token)
    {
        var failure = await OutcomeAsync(context, Start(context, token), token, commit);
        if (failure is null)
        {
            subscription.CircuitBreaker?.Succeeded();
        }

        return failure;
    }

    /// <summary>
    /// Waits for the handler and then completes its success: runs the commit if there is one, or else sends the events
    /// that it published.
    /// </summary>
    public async Task<Failure?> OutcomeAsync(DeliveryContext context, Task running, CancellationToken token, Commit? commit = null)
    {
        await EndOfAsync(running, token);
        try
        {
            if (!running.IsCompleted)
            {
                _ = running.Observed();
                services.Log.HandlerLeftBehind(subscription.Name, context.EventName, context.EventId);
                throw new OperationCanceledException(token);
            }

            var handling = context.State;
            context.End();
            try
            {
                await running;
                if (commit is not null && await commit(handling) is { } failure)
                {
                    return failure;
                }
            }
            finally
            {
                await (handling?.CloseScopeAsync() ?? ValueTask.CompletedTask);
            }

            if (commit is null && handling?.Outbox is { } outbox)
            {
                await subscription.FollowUps.SendAsync(outbox);
            }

            return null;
        }
        catch (OperationCanceledException exception) when (token.IsCancellationRequested)
        {
            return services.Abort.IsCancellationRequested ? Interrupted.Instance
                : new Threw(new TimeoutException($"The handler did not end within its timeout of {subscription.HandlerTimeout}. Raise {nameof(EventBusOptions)}.{nameof(EventBusOptions.HandlerTimeout)} or that of the subscription if it needs longer.", exception));
        }
        catch (EffectException exception)
        {
            return new Threw(exception.InnerException ?? exception);
        }
        catch (Exception exception)
        {
            return new Threw(exception);
        }
    }

    /// <summary>
    /// Waits until the handler ends or its token is cancelled, and then for a short grace period. Does not throw.
    /// </summary>
    private async Task EndOfAsync(Task running, CancellationToken token)
    {
        const ConfigureAwaitOptions Quietly = ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext;
        await running.WaitAsync(token).ConfigureAwait(Quietly);
        if (!running.IsCompleted)
        {
            await running.WaitAsync(Grace, services.StoreTime, CancellationToken.None).ConfigureAwait(Quietly);
        }
    }
}
