using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Finds instances that share the subscriptions of this instance but not its stores. Such instances do not know each
/// other's handled events, retries, dead letters, delayed events and sagas.
/// </summary>
/// <param name="transport">Counts the consumers of a subscription.</param>
/// <param name="stores">The stores, which know the instances that share them.</param>
/// <param name="instance">The id of this instance.</param>
/// <param name="subscriptions">The subscriptions that this instance consumes.</param>
/// <param name="services">Provides the clock and the log.</param>
internal sealed class UnknownConsumerMonitor(
    Transport transport,
    BusStores stores,
    string instance,
    IReadOnlyList<string> subscriptions,
    BusServices services)
{
    private const int MaxNamed = 10;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // The lifetime of the record of an instance in the store. It is several periods, so that an instance under load is
    // not taken for an unknown one.
    private static readonly TimeSpan RecordLifetime = TimeSpan.FromSeconds(30);

    private readonly InstanceStore instances = stores.Instances
        ?? throw new ArgumentException("The stores know no instances.", nameof(stores));

    // The timestamp since which a subscription has had unknown consumers.
    private readonly Dictionary<string, long> unknownSince = new(StringComparer.Ordinal);

    // The subscriptions with unknown consumers.
    private volatile IReadOnlyList<string> unknown = [];

    private TimeProvider Time => services.StoreTime;

    /// <summary>The description of the problem; null if there is none.</summary>
    public string? Problem => unknown is { Count: > 0 } found
        ? $"Other instances consume {Describe(found)} of this service and do not share its store, which is {stores.Name}. An idempotent "
            + "subscription handles an event twice, and each instance has its own dead letters, order and sagas. Give all instances one "
            + "store that they share (bus.StoreInRedis(...); on one machine also the same file of SQLite), or run one instance only."
        : null;

    /// <summary>Looks for unknown consumers every 5 s.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        services.Log.StoreIsPrivate(stores.Name, transport.Features.System);
        while (true)
        {
            try
            {
                await LookAsync(stop);
            }
            catch (Exception) when (!stop.IsCancellationRequested)
            {
                // The store or the backend is unreachable, which is reported elsewhere. The last result stays until the
                // next pass.
            }

            await Task.Delay(Period, Time, stop);
        }
    }

    /// <summary>
    /// Removes the record of this instance, so that the other instances that share the store no longer count it.
    /// </summary>
    public async Task EndAsync() => await instances.ForgetAsync(instance, CancellationToken.None);

    private async Task LookAsync(CancellationToken stop)
    {
        var known = await instances.RecordAsync(instance, subscriptions, Time.GetUtcNow(), RecordLifetime, stop);
        var before = unknown;
        var found = new List<string>();
        foreach (var subscription in subscriptions)
        {
            if (await transport.CountOtherConsumersAsync(subscription, stop) is not { } others)
            {
                // The number of consumers is not known at present, so the last result stays.
                if (before.Contains(subscription, StringComparer.Ordinal))
                {
                    found.Add(subscription);
                }
            }
            else if (others.Count + 1 <= known.GetValueOrDefault(subscription))
            {
                // The store knows at least as many instances as consume, with this one.
                unknownSince.Remove(subscription);
            }
            else if (IsAlive(subscription, others.ExpiresAfter))
            {
                found.Add(subscription);
            }
        }

        unknown = found;
        var added = found.Except(before, StringComparer.Ordinal).ToList();
        if (added.Count > 0)
        {
            services.Log.UnknownConsumers(Describe(added), stores.Name);
        }
        else if (found.Count == 0 && before.Count > 0)
        {
            services.Log.UnknownConsumersGone();
        }
    }

    /// <summary>
    /// Returns true if an unknown consumer has been counted longer than <paramref name="expiresAfter"/>, which means
    /// that it is alive. The backend counts a consumer for that long after its process has ended, for instance the
    /// predecessor of this process.
    /// </summary>
    private bool IsAlive(string subscription, TimeSpan expiresAfter)
    {
        if (!unknownSince.TryGetValue(subscription, out var since))
        {
            since = Time.GetTimestamp();
            unknownSince.Add(subscription, since);
        }

        return Time.GetElapsedTime(since) > expiresAfter;
    }

    private static string Describe(IReadOnlyList<string> names)
    {
        var listed = string.Join(", ", names.Take(MaxNamed).Select(name => $"'{name}'"));
        var rest = names.Count > MaxNamed ? $" and {names.Count - MaxNamed} more" : "";
        return $"{(names.Count == 1 ? "the subscription" : "the subscriptions")} {listed}{rest}";
    }
}
