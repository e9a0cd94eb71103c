using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Composes the pipeline of a subscription once, at the start: the middleware in the order of registration, then the
/// handler.
/// </summary>
internal static class HandlerPipeline
{
    public static EventDelegate Compose(BusPlan plan, SubscriptionPlan subscription, IServiceProvider services)
    {
        var registration = plan.Registration;
        var handlers = subscription.Handlers.ToDictionary(handler => handler.EventType, handler => Bind(handler, registration, services));
        EventDelegate pipeline;
        if (subscription.Registration.PatternHandler is { } patternHandler)
        {
            pipeline = new EventDelegate(patternHandler);
        }
        else if (subscription.Registration.Forward is { } forward)
        {
            pipeline = EventForwarder.Create(plan, forward, services);
        }
        else
        {
            pipeline = handlers.Count == 1 ? Single(handlers.Values.First()) : Several(handlers);
        }

        // Each middleware is put around those after it, so the last one is added first.
        foreach (var create in Enumerable.Reverse(registration.Middleware))
        {
            var middleware = create(services);
            var inner = pipeline;
            EventDelegate next = (context, cancellationToken) => inner(context, cancellationToken)
                ?? throw new InvalidOperationException("The handler, or a middleware given to bus.Use, returned null instead of a task.");
            pipeline = (context, cancellationToken) => middleware(context, next, cancellationToken);
        }

        return pipeline;
    }

    private static BoundHandler Bind(HandlerRegistration handler, BusRegistration registration, IServiceProvider services)
    {
        if (handler.HandlerType is not { } type)
        {
            // For a delegate, Adapt ignores its argument.
            return new BoundHandler(handler.Adapt(handler), null);
        }

        // A singleton is resolved once, here; any other handler in the scope of each delivery.
        var lifetime = registration.Services.LastOrDefault(service => service.ServiceType == type && !service.IsKeyedService)?.Lifetime;
        return lifetime == ServiceLifetime.Singleton
            ? new BoundHandler(handler.Adapt(services.GetRequiredService(type)), null)
            : new BoundHandler(null, scope => handler.Adapt(scope.GetRequiredService(type)));
    }

    private static EventDelegate Single(BoundHandler handler) =>
        handler.Instance is { } instance
            ? (context, cancellationToken) => instance.InvokeAsync(context.Event!, context, cancellationToken)
            : (context, cancellationToken) => handler.Resolve!(context.Services).InvokeAsync(context.Event!, context, cancellationToken);

    private static EventDelegate Several(Dictionary<Type, BoundHandler> handlers) => (context, cancellationToken) =>
    {
        var handler = handlers[context.Event!.GetType()];
        return (handler.Instance ?? handler.Resolve!(context.Services)).InvokeAsync(context.Event!, context, cancellationToken);
    };

    /// <summary>A handler that is bound to its event type.</summary>
    /// <param name="Instance">The invoker of a handler that is a singleton or a delegate; null otherwise.</param>
    /// <param name="Resolve">
    /// Creates the invoker from the scope of the delivery; null when <paramref name="Instance"/> is set.
    /// </param>
    private sealed record BoundHandler(EventInvoker? Instance, Func<IServiceProvider, EventInvoker>? Resolve);
}
