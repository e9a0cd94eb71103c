namespace EventBus;

/// <summary>Passes the replies that arrive through the subscription of a saga to that saga.</summary>
internal sealed class SagaReplyInvoker(string saga, Func<string, EventContext, CancellationToken, Task> receive) : EventInvoker
{
    public override Task InvokeAsync(object @event, EventContext context, CancellationToken cancellationToken) =>
        receive(saga, context, cancellationToken);
}
