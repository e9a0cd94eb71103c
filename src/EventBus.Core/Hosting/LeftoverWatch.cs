using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Finds the queues that removed subscriptions and renamed services have left on a backend that cannot list them: the
/// stores remember the names. Removes nothing, because a service may only be stopped temporarily.
/// </summary>
/// <param name="transport">Finds what the backend keeps for a name.</param>
/// <param name="store">Keeps the names.</param>
/// <param name="own">The subscriptions of this bus.</param>
/// <param name="services">Provides the clock and the log.</param>
internal sealed class LeftoverWatch(Transport transport, SubscriptionStore store, OwnSubscriptions own, BusServices services)
{
    // The maximum number of names that one pass looks up: those of this service first, then those that have been unused
    // longest.
    private const int MaxLookups = 100;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);

    // The time without use after which a name is looked up. It is longer than a restart of another instance that has
    // the subscription.
    private static readonly TimeSpan UnusedAfter = TimeSpan.FromMinutes(1);

    private readonly string service = own.Service;

    // The names of other services for which this backend keeps nothing, with the time of their last use at the lookup.
    private readonly Dictionary<(string Service, string Name), DateTimeOffset> missing = [];
    private readonly LeftoverReport report = new(own.Service, services.Log);
    private volatile IReadOnlyList<Leftover> found = [];

    /// <summary>The leftovers that no instance consumes, by the name of the queue.</summary>
    public IReadOnlyDictionary<string, object> Data => found
        .DistinctBy(each => each.Queue.Name, StringComparer.Ordinal)
        .ToDictionary(each => each.Queue.Name, object (each) => each.Describe(service), StringComparer.Ordinal);

    private TimeProvider Time => services.StoreTime;

    private string Backend => transport.Features.System;

    /// <summary>Looks for leftovers every 20 s.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
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

    /// <summary>Forgets a subscription of this application for which the backend no longer keeps anything.</summary>
    public async Task ForgetAsync(string subscription, CancellationToken cancellationToken)
    {
        found = [.. found.Where(each => each.Seen.Service != service || each.Seen.Name != subscription)];
        try
        {
            await store.ForgetAsync(Backend, service, subscription, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The store could not be reached. The next pass removes the name, because the backend keeps nothing for it.
        }
    }

    /// <summary>
    /// Records the subscriptions of this instance, and looks once for subscriptions that no instance consumes.
    /// </summary>
    public async Task LookAsync(CancellationToken stop)
    {
        var now = Time.GetUtcNow();
        var names = await store.RecordAsync(Backend, own.Consumed, now, stop);

        // The names of this service first (false sorts before true).
        var candidates = names
            .Where(seen => MayBeLeftover(seen, now))
            .OrderBy(seen => seen.Service != service)
            .ThenBy(seen => seen.LastSeen)
            .Take(MaxLookups)
            .ToList();
        var leftovers = new List<Leftover>();
        foreach (var seen in candidates)
        {
            if (await transport.FindQueueAsync(seen.Service, seen.Name, stop) is not { } queue)
            {
                await ForgetMissingAsync(seen, now, stop);
            }
            else if (queue.Consumers == 0)
            {
                leftovers.Add(new Leftover(seen, queue));
            }
        }

        report.Log(leftovers, now);
        found = leftovers;
    }

    /// <summary>Returns true if a name must be looked up on the backend.</summary>
    private bool MayBeLeftover((string Service, string Name, DateTimeOffset LastSeen) seen, DateTimeOffset now)
    {
        if (seen.Service == service && own.Registered.Contains(seen.Name))
        {
            return false;
        }

        var unusedFor = now - seen.LastSeen;
        if (unusedFor <= UnusedAfter)
        {
            return false;
        }

        // A name that was missing and has not been used since is looked up again only to forget it.
        var isKnownMissing = missing.GetValueOrDefault((seen.Service, seen.Name)) == seen.LastSeen;
        return !isKnownMissing || unusedFor > LeftoverReport.OtherServiceUnusedAfter;
    }

    /// <summary>
    /// Forgets a name for which the backend keeps nothing. Another service may use another server with the same stores:
    /// its name is kept for seven days after its last use, but not looked up again unless it has been used since.
    /// </summary>
    private async Task ForgetMissingAsync(
        (string Service, string Name, DateTimeOffset LastSeen) seen,
        DateTimeOffset now,
        CancellationToken stop)
    {
        if (seen.Service == service || now - seen.LastSeen > LeftoverReport.OtherServiceUnusedAfter)
        {
            await store.ForgetAsync(Backend, seen.Service, seen.Name, stop);
        }
        else
        {
            missing[(seen.Service, seen.Name)] = seen.LastSeen;
        }
    }
}
