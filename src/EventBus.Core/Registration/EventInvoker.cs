namespace EventBus;

/// <summary>Calls a handler with an event of the type that it was registered for: the one place where the type is known again.</summary>
internal abstract class EventInvoker
{
    public abstract Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken);
}

internal sealed class TypedHandler<TEvent>(IEventHandler<TEvent> handler) : EventInvoker
    where TEvent : notnull
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) => handler.HandleAsync((TEvent)@event, context, cancellationToken);
}

internal sealed class DelegateHandler<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handler) : EventInvoker
    where TEvent : notnull
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) => handler((TEvent)@event, context, cancellationToken);
}

/// <summary>Hands the replies that come through a saga's own subscription to that saga.</summary>
internal sealed class SagaReplyInvoker(string saga, Func<string, EventContext, CancellationToken, Task> receive) : EventInvoker
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) => receive(saga, context, cancellationToken);
}
