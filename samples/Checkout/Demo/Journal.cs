using System.Collections.Concurrent;
using EventBus;

namespace Checkout.Demo;

/// <summary>Records every attempt of a handler: a middleware of the whole bus.</summary>
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

    /// <summary>Returns the attempts for an order, sorted by their start.</summary>
    public IReadOnlyList<HandlerRun> For(string orderId) => [.. runs.Where(run => run.OrderId == orderId).OrderBy(run => run.Start)];
}

/// <summary>One attempt of a handler, with timestamps of the clock.</summary>
internal sealed record HandlerRun(string OrderId, string EventName, string Subscription, long Start, long End, string? Error);
