using System.Diagnostics.Metrics;
using EventBus.Transports;

namespace EventBus;

/// <summary>Reads the events that the backend holds for each subscription.</summary>
internal sealed class BacklogReader(Transport transport, BusServices services) : StateReader(services)
{
    private readonly StateDiagnostics metrics = services.Diagnostics.State;

    protected override string Name => "reading the backlog for the metrics";

    protected override bool IsObserved =>
        metrics.BacklogWaiting.IsObserved || metrics.BacklogInFlight.IsObserved || metrics.BacklogConsumers.IsObserved;

    public override void Clear() => Set([]);

    protected override async Task<bool> ReadValuesAsync(CancellationToken deadline)
    {
        var backlogs = await transport.ReadBacklogAsync(deadline);
        deadline.ThrowIfCancellationRequested();
        Set(backlogs);
        return true;
    }

    private void Set(IReadOnlyList<SubscriptionBacklog> backlogs)
    {
        metrics.BacklogWaiting.Set(Values(backlogs, each => each.Waiting));
        metrics.BacklogInFlight.Set(Values(backlogs, each => each.InFlight));
        metrics.BacklogConsumers.Set(Values(backlogs, each => each.Consumers));
    }

    private IEnumerable<Measurement<long>> Values(
        IReadOnlyList<SubscriptionBacklog> backlogs, Func<SubscriptionBacklog, long?> select) => backlogs
        .Where(each => select(each) is not null)
        .Select(each => metrics.OfSubscription(select(each)!.Value, each.Subscription));
}
