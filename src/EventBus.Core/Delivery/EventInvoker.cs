namespace EventBus;

/// <summary>
/// Calls a handler with an event of its registered type. Only its subclasses know the static type of the event.
/// </summary>
internal abstract class EventInvoker
{
    public abstract Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken);
}
