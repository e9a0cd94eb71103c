namespace EventBus;

/// <summary>Calls a handler with an event of the type that it was registered for: the one place where the type is known again.</summary>
internal abstract class EventInvoker
{
    public abstract Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken);
}
