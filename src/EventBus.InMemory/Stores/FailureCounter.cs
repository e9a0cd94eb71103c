using EventBus.Stores;

namespace EventBus;

/// <summary>Counts the entries of the failure store by subscription and status. Not thread-safe.</summary>
internal sealed class FailureCounter
{
    private readonly Dictionary<string, FailureCounts> bySubscription = new(StringComparer.Ordinal);

    /// <summary>The counts of the subscriptions that have entries, or had some.</summary>
    public IReadOnlyCollection<FailureCounts> All => bySubscription.Values;

    /// <summary>Adds an entry to the count of its status, or removes it.</summary>
    /// <param name="failed">The entry.</param>
    /// <param name="difference">1 or -1.</param>
    public void Add(FailedEvent failed, int difference)
    {
        var counts = bySubscription.GetValueOrDefault(failed.Subscription, new FailureCounts
        {
            Subscription = failed.Subscription,
            Waiting = 0,
            Parked = 0,
            Deferred = 0,
            Dead = 0,
        });
        bySubscription[failed.Subscription] = failed.Status switch
        {
            FailedEventStatus.Parked => counts with { Parked = counts.Parked + difference },
            FailedEventStatus.Dead => counts with { Dead = counts.Dead + difference },
            FailedEventStatus.Deferred => counts with { Deferred = counts.Deferred + difference },
            _ => counts with { Waiting = counts.Waiting + difference },
        };
    }
}
