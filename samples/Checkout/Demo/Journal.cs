using System.Collections.Concurrent;
using EventBus;

namespace Checkout.Demo;

/// <summary>Notes every start of a handler: a middleware that runs round all of them.</summary>
internal sealed class Journal(TimeProvider time) : IEventMiddleware
{
    private readonly ConcurrentQueue<HandlerRun> runs = [];

    public async Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        string? error = null;
        try
        {
            await next(context, cancellationToken);
        }
        catch (Exception exception)
        {
            error = exception.Message;
            throw;
        }
        finally
        {
            runs.Enqueue(new HandlerRun(context.Key!, context.EventName, context.Subscription, start, time.GetTimestamp(), error));
        }
    }

    /// <summary>What was done for an order, in the order of the starts.</summary>
    public IReadOnlyList<HandlerRun> For(string orderId) => [.. runs.Where(run => run.OrderId == orderId).OrderBy(run => run.Start)];
}

/// <summary>One start of a handler, with time stamps of the clock.</summary>
internal sealed record HandlerRun(string OrderId, string EventName, string Subscription, long Start, long End, string? Error);
