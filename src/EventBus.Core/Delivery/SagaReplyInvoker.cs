namespace EventBus;

/// <summary>Hands the replies that come through a saga's own subscription to that saga.</summary>
internal sealed class SagaReplyInvoker(string saga, Func<string, EventContext, CancellationToken, Task> receive) : EventInvoker
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) => receive(saga, context, cancellationToken);
}
