using System.Collections.Concurrent;
using System.Text;
using EventBus;

namespace Checkout.Demo;

/// <summary>Notes the events that a subscription receives, in their order.</summary>
internal sealed class Arrivals
{
    private readonly ConcurrentQueue<Arrival> arrivals = [];

    public IReadOnlyList<Arrival> All => [.. arrivals];

    public Task NoteAsync(EventContext context, CancellationToken cancellationToken)
    {
        var body = Encoding.UTF8.GetString(context.Body.Span);
        arrivals.Enqueue(new Arrival(context.EventId, context.EventName, context.Key, context.Time, body));
        return Task.CompletedTask;
    }
}

/// <summary>An event as it was received.</summary>
internal sealed record Arrival(string Id, string Name, string? Key, DateTimeOffset Time, string Body);
