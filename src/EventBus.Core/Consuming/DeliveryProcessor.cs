using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Handles one delivery of one subscription from the first step to its settlement. Never throws: every outcome is settled.</summary>
internal sealed class DeliveryProcessor(SubscriptionRuntime subscription, EventReader reader, FailureRecorder failures, RunEnvironment environment)
{
    // What a handler that ignores its cancelled token is given to end before it is left behind.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly BusDiagnostics diagnostics = environment.Diagnostics;
    private readonly Type? onlyType = subscription.OnlyType;
    private readonly EventStep pipeline = subscription.Pipeline;

    /// <summary>Handles a fresh delivery.</summary>
    /// <param name="delivery">The delivery; settled when the returned task completes.</param>
    /// <param name="token">The handler's token: its deadline, and the end of the shutdown budget.</param>
    public ValueTask HandleAsync(in Delivery delivery, CancellationToken token)
    {
        var envelope = delivery.Envelope;
        EventContext context = envelope.TryClaim(subscription) ? envelope : new DeliveryContext(envelope, subscription);
        if (envelope.Payload?.GetType() != onlyType || onlyType is null || delivery.Lost.CanBeCanceled || diagnostics.ObservesProcess)
        {
            return new ValueTask(HandleFullyAsync(delivery, context, token));
        }

        // The quick way: a handler that completes at once costs nothing beside itself.
        var running = Start(context, token);
        if (!running.IsCompletedSuccessfully || context.State is not null)
        {
            return new ValueTask(FinishAsync(delivery, context, running, token));
        }

        context.End();
        try
        {
            return delivery.AckAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Logs what must not happen: settlers do not throw. The delivery stays with the backend and comes again.</summary>
    public void ReportUnsettled(in Delivery delivery, Exception exception) => environment.Log.SettleFailed(subscription.Name, delivery.Envelope.Name, delivery.Envelope.Id, exception);

    /// <summary>Starts a failed event once more. Its entry is completed, recorded again, or left to its lease if the bus stops.</summary>
    public async Task RetryAsync(FailedEvent entry, FailureStore store, CancellationToken token)
    {
        var context = new DeliveryContext(entry.Envelope, subscription);
        context.EnsureHandling().Attempt = entry.Starts;
        var failure = await RunAsync(context, entry.Envelope, token);
        if (failure is Interrupted)
        {
            return;
        }

        if (failure is null)
        {
            await failures.PersistAsync(cancel => store.CompleteAsync(entry, cancel), subscription.Slots);
        }
        else
        {
            await failures.RecordAsync(subscription.Failure, entry, failure, subscription.Slots);
        }
    }

    private async Task HandleFullyAsync(Delivery delivery, EventContext context, CancellationToken token)
    {
        if (delivery.Lost.IsCancellationRequested)
        {
            // Lost while it was only buffered: whoever owns it now handles it.
            await delivery.ReleaseAsync();
            return;
        }

        using var linked = delivery.Lost.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(token, delivery.Lost) : null;
        await SettleAsync(delivery, await RunAsync(context, delivery.Envelope, linked?.Token ?? token));
    }

    private async Task FinishAsync(Delivery delivery, EventContext context, Task running, CancellationToken token) =>
        await SettleAsync(delivery, await OutcomeAsync(context, running, token));

    private async Task<Failure?> RunAsync(EventContext context, Envelope envelope, CancellationToken token)
    {
        try
        {
            if (reader.Read(envelope, context, subscription) is { } rejection)
            {
                return new Rejected(rejection);
            }

            if (!diagnostics.ObservesProcess)
            {
                return await OutcomeAsync(context, Start(context, token), token);
            }

            var startedAt = environment.Time.GetTimestamp();
            using var activity = diagnostics.StartProcess(context, envelope.TraceParent, envelope.TraceState);
            var failure = await OutcomeAsync(context, Start(context, token), token);
            diagnostics.Processed(activity, context, startedAt, (failure as Threw)?.Exception);
            return failure;
        }
        catch (Exception exception)
        {
            // Not the handler, whose failure is an outcome: an upcast, a listener of traces. It must be settled all the same.
            return new Threw(exception);
        }
    }

    private Task Start(EventContext context, CancellationToken token)
    {
        try
        {
            return pipeline(context, token) ?? throw new InvalidOperationException("The handler returned null instead of a task.");
        }
        catch (Exception exception)
        {
            return Task.FromException(exception);
        }
    }

    private async Task<Failure?> OutcomeAsync(EventContext context, Task running, CancellationToken token)
    {
        await EndOfAsync(running, token);
        try
        {
            if (!running.IsCompleted)
            {
                environment.Log.HandlerLeftBehind(subscription.Name, context.EventName, context.EventId);
                throw new OperationCanceledException(token);
            }

            var handling = context.State;
            context.End();
            if (handling is not null)
            {
                await handling.CloseScopeAsync();
            }

            await running;
            if (handling?.Outbox is { } outbox)
            {
                await subscription.Publisher.SendFollowUpsAsync(outbox);
            }

            return null;
        }
        catch (OperationCanceledException exception) when (token.IsCancellationRequested)
        {
            return environment.Abort.IsCancellationRequested ? Interrupted.Instance
                : new Threw(new TimeoutException($"The handler did not end within its time-out of {subscription.HandlerTimeout}. Raise {nameof(EventBusOptions)}.{nameof(EventBusOptions.HandlerTimeout)} or that of the subscription if it needs longer.", exception));
        }
        catch (Exception exception)
        {
            return new Threw(exception);
        }
    }

    /// <summary>Waits for a handler, its token, and then a little longer, without throwing.</summary>
    private async Task EndOfAsync(Task running, CancellationToken token)
    {
        const ConfigureAwaitOptions Quietly = ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext;
        await running.WaitAsync(token).ConfigureAwait(Quietly);
        if (!running.IsCompleted)
        {
            await running.WaitAsync(Grace, environment.Time, CancellationToken.None).ConfigureAwait(Quietly);
        }
    }

    private async Task SettleAsync(Delivery delivery, Failure? failure)
    {
        try
        {
            if (delivery.Lost.IsCancellationRequested || failure is Interrupted)
            {
                await delivery.ReleaseAsync();
                return;
            }

            if (failure is not null)
            {
                await failures.RecordAsync(subscription.Failure, delivery.Envelope, failure, subscription.Slots);
            }

            await delivery.AckAsync();
        }
        catch (Exception) when (environment.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
        }
    }
}
