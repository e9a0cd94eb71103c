using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Calls the middleware and the handler, and waits for their end within the timeout of the handler.</summary>
internal sealed class TimeoutStep(
    SubscriptionRuntime subscription, EventDelegate handler, HandlerDeadlines deadlines, BusServices services) : DeliveryStep
{
    // The time that a handler has to end after its token is cancelled. After it, the handler is abandoned.
    private static readonly TimeSpan GraceAfterCancel = TimeSpan.FromSeconds(1);

    private readonly ILogger log = services.Log;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        var deadline = deadlines.From(now);
        if (context.State is { } state)
        {
            state.Deadline = deadline;
        }

        if (cancellationToken.CanBeCanceled)
        {
            return HandleAsync(context, deadline, cancellationToken);
        }

        var running = Start(context, deadline);
        if (!running.IsCompletedSuccessfully)
        {
            return WaitAsync(context, running, deadline);
        }

        context.End();
        return new(DeliveryOutcome.Handled);
    }

    private async ValueTask<DeliveryOutcome> HandleAsync(DeliveryContext context, CancellationToken deadline, CancellationToken lost)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline, lost);
        return await WaitAsync(context, Start(context, linked.Token), linked.Token);
    }

    /// <summary>
    /// Calls the handler. Returns its exceptions in the task, and undoes its changes to the ambient state of the
    /// caller.
    /// </summary>
    private Task Start(DeliveryContext context, CancellationToken token)
    {
        var ambient = AmbientState.Current;
        try
        {
            return handler(context, token)
                ?? throw new InvalidOperationException("The handler, or a middleware given to bus.Use, returned null instead of a task.");
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
    /// Waits until the handler ends or its token is cancelled, and then for a short grace period. Does not throw.
    /// </summary>
    private async ValueTask<DeliveryOutcome> WaitAsync(DeliveryContext context, Task running, CancellationToken token)
    {
        if (!running.IsCompleted)
        {
            await running.WaitAsync(token).Quietly();
        }

        if (!running.IsCompleted)
        {
            await running.WaitAsync(GraceAfterCancel, services.StoreTime, CancellationToken.None).Quietly();
        }

        try
        {
            if (!running.IsCompleted)
            {
                _ = running.Observed();
                context.EnsureState().Abandon();
                log.HandlerLeftBehind(subscription.Name, context.EventName, context.EventId);
                throw new OperationCanceledException(token);
            }

            context.End();
            await running;
            return DeliveryOutcome.Handled;
        }
        catch (OperationCanceledException exception) when (token.IsCancellationRequested)
        {
            return services.Abort.IsCancellationRequested
                ? DeliveryOutcome.Interrupted
                : DeliveryOutcome.Failed(deadlines.Exceeded(exception));
        }
        catch (Exception exception)
        {
            return DeliveryOutcome.Failed(exception);
        }
    }
}
