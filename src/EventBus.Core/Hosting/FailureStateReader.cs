using System.Diagnostics.Metrics;
using EventBus.Stores;

namespace EventBus;

/// <summary>Reads the numbers of failed events of each subscription from the failure store.</summary>
internal sealed class FailureStateReader(RetryStore store, IReadOnlyCollection<string> subscriptions, BusServices services)
    : StateReader(services)
{
    // The other subscriptions of the store count together, so that the number of tags is bounded.
    private const int MaxSubscriptions = 200;
    private const string OtherSubscriptions = "_OTHER";

    private readonly StateDiagnostics metrics = services.Diagnostics.State;
    private readonly TimeProvider time = services.StoreTime;

    protected override string Name => "reading the numbers of failed events for the metrics";

    protected override bool IsObserved =>
        metrics.DeadLetters.IsObserved
        || metrics.Waiting.IsObserved
        || metrics.OldestAge.IsObserved
        || metrics.Parked.IsObserved
        || metrics.Deferred.IsObserved;

    public override void Clear() => Set([]);

    protected override async Task<bool> ReadValuesAsync(CancellationToken deadline)
    {
        var counted = await store.CountByStateAsync(deadline);
        deadline.ThrowIfCancellationRequested();
        Set(counted is null ? [] : Bounded(counted));
        return true;
    }

    /// <summary>
    /// Adds the subscriptions of this instance that have no entries, and adds up those beyond the limit.
    /// </summary>
    private List<FailureCounts> Bounded(IReadOnlyList<FailureCounts> counted)
    {
        if (counted.Any(counts => counts.Subscription is null))
        {
            return [.. counted.Take(MaxSubscriptions)];
        }

        var byName = counted.ToDictionary(counts => counts.Subscription!, StringComparer.Ordinal);
        var own = subscriptions.Select(name => byName.GetValueOrDefault(name, Zero(name)));
        var foreign = byName.Values
            .Where(counts => !subscriptions.Contains(counts.Subscription!, StringComparer.Ordinal))
            .OrderBy(counts => counts.Subscription, StringComparer.Ordinal);
        var all = own.Concat(foreign).ToList();
        return all.Count <= MaxSubscriptions
            ? all
            : [.. all.Take(MaxSubscriptions), all.Skip(MaxSubscriptions).Aggregate(Zero(OtherSubscriptions), Add)];
    }

    private void Set(IReadOnlyCollection<FailureCounts> counts)
    {
        var now = time.GetUtcNow();
        metrics.DeadLetters.Set(Values(counts, each => each.Dead));
        metrics.Waiting.Set(Values(counts, each => each.Waiting));
        metrics.Parked.Set(Values(counts, each => each.Parked));
        metrics.Deferred.Set(Values(counts, each => each.Deferred));
        metrics.OldestAge.Set(counts
            .Where(each => each.Subscription is not null)
            .Select(each => metrics.OfSubscription(AgeOf(each.OldestDue, now), each.Subscription)));
    }

    private IEnumerable<Measurement<long>> Values(IEnumerable<FailureCounts> counts, Func<FailureCounts, long?> select) => counts
        .Where(each => select(each) is not null)
        .Select(each => metrics.OfSubscription(select(each)!.Value, each.Subscription));

    /// <summary>Returns for how many seconds an entry has been due; 0 if none is due.</summary>
    private static double AgeOf(DateTimeOffset? due, DateTimeOffset now) => due is { } time ? Math.Max((now - time).TotalSeconds, 0) : 0;

    private static FailureCounts Zero(string subscription) =>
        new() { Subscription = subscription, Waiting = 0, Parked = 0, Deferred = 0, Dead = 0 };

    private static FailureCounts Add(FailureCounts sum, FailureCounts each) => sum with
    {
        Waiting = sum.Waiting + each.Waiting,
        Parked = sum.Parked + each.Parked,
        Deferred = sum.Deferred + each.Deferred,
        Dead = sum.Dead + each.Dead,
        OldestDue = sum.OldestDue is null || each.OldestDue < sum.OldestDue ? each.OldestDue : sum.OldestDue,
    };
}
