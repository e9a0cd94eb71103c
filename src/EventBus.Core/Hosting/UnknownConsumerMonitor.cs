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

    // A note is valid for several periods, so that an instance under load is not taken for an unknown one.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NoteLifetime = TimeSpan.FromSeconds(30);

    private readonly InstanceStore instances = stores.Instances
        ?? throw new ArgumentException("The stores know no instances.", nameof(stores));
    private readonly Dictionary<string, long> unknownSince = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<string> unknown = [];

    private TimeProvider Time => services.StoreTime;

    /// <summary>The description of the problem; null if there is none.</summary>
    public string? Problem => unknown is { Count: > 0 } found
        ? $"Other instances consume {Describe(found)} of this service and do not share its store, which is {stores.Name}. An idempotent "
            + "subscription handles an event twice, and each instance has its own dead letters, order and sagas. Give all instances one "
            + "store that they share (bus.StoreInRedis(...)), or run one instance only."
        : null;

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
    /// Removes the note of this instance, so that the other instances of this machine no longer count it.
    /// </summary>
    public async Task EndAsync() => await instances.ForgetAsync(instance, CancellationToken.None);

    private async Task LookAsync(CancellationToken stop)
    {
        var known = await instances.RecordAsync(instance, subscriptions, Time.GetUtcNow(), NoteLifetime, stop);
        var found = new List<string>();
        foreach (var subscription in subscriptions)
        {
            if (await transport.CountOtherConsumersAsync(subscription, stop) is not { } others)
            {
                // The number of consumers is not known at present, so the last result stays.
                found.AddRange(unknown.Where(name => name == subscription));
            }
            else if (others.Count + 1 <= known.GetValueOrDefault(subscription))
            {
                unknownSince.Remove(subscription);
            }
            else if (IsAlive(subscription, others.ExpiresAfter))
            {
                found.Add(subscription);
            }
        }

        var before = unknown;
        unknown = found;
        if (found.Except(before, StringComparer.Ordinal).ToList() is { Count: > 0 } more)
        {
            services.Log.UnknownConsumers(Describe(more), stores.Name);
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
            unknownSince.Add(subscription, since = Time.GetTimestamp());
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
