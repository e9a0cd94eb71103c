using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Proof;

/// <summary>A transport that calls an action before and after it sends the events of handlers.</summary>
internal sealed class WatchedTransport(Transport inner, Action<Failpoint, string> reached) : Transport
{
    public override TransportFeatures Features => inner.Features;

    public override (long Accepted, long Settled) Work => inner.Work;

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) =>
        inner.StartAsync(topology, cancellationToken);

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var parents = ParentsOf(batch.Span);
        parents.ForEach(parent => reached(Failpoint.BeforeDispatch, parent));
        await inner.PublishAsync(batch, outcomes, deadline);
        parents.ForEach(parent => reached(Failpoint.AfterDispatch, parent));
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        inner.SubscribeAsync(subscription, cancellationToken);

    public override bool MayHaveSubscribers(string eventName) => inner.MayHaveSubscribers(eventName);

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        inner.CheckHealthAsync(cancellationToken);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private static List<string> ParentsOf(ReadOnlySpan<Envelope> batch)
    {
        var found = new List<string>();
        foreach (var envelope in batch)
        {
            if (envelope.CausationId is { } parent && !found.Contains(parent))
            {
                found.Add(parent);
            }
        }

        return found;
    }
}
