namespace EventBus;

internal sealed class DelegateHandler<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handler) : EventInvoker
    where TEvent : notnull
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) =>
        handler((TEvent)@event, context, cancellationToken);
}
