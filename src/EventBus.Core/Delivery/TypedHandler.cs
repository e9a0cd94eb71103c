namespace EventBus;

internal sealed class TypedHandler<TEvent>(IEventHandler<TEvent> handler) : EventInvoker
    where TEvent : notnull
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) =>
        handler.HandleAsync((TEvent)@event, context, cancellationToken);
}
