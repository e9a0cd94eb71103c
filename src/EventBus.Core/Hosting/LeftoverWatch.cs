using System.Globalization;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Names what removed subscriptions and renamed services leave on a backend that cannot list it: the stores remember the names. Nothing is removed, because a service may only be stopped for a while.</summary>
/// <param name="transport">Tells what is kept for a name.</param>
/// <param name="store">Remembers the names.</param>
/// <param name="service">The name of this application.</param>
/// <param name="consumed">The subscriptions that this instance consumes.</param>
/// <param name="known">The subscriptions that the application has, whether or not this instance consumes them.</param>
/// <param name="environment">The clock and the log.</param>
internal sealed class LeftoverWatch(Transport transport, SubscriptionStore store, string service, IReadOnlyCollection<string> consumed, IReadOnlySet<string> known, RunEnvironment environment)
{
    // Of all names that may have been left behind, so many are looked for at a time: those of this application first, then those that were not in use for the longest time.
    private const int MostLooked = 100;

    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);

    // Another instance that has the subscription may be starting again: its name is given only after a few periods.
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    // Another service may be stopped for days. Until then only the health check names what it has left.
    private static readonly TimeSpan QuietOfOthers = TimeSpan.FromDays(7);

    private readonly Dictionary<(string Service, string Name), DateTimeOffset> missing = [];
    private readonly HashSet<(string Service, string Name)> said = [];
    private volatile IReadOnlyList<Leftover> found = [];

    /// <summary>What no instance consumes, by the name of its queue.</summary>
    public IReadOnlyDictionary<string, object> Data => found
        .DistinctBy(each => each.Kept.Queue, StringComparer.Ordinal)
        .ToDictionary(each => each.Kept.Queue, object (each) => string.Create(CultureInfo.InvariantCulture, $"No instance consumes the subscription '{each.Seen.Name}' of the service '{each.Seen.Service}' at present, and {each.Kept.Waiting} events wait in it. It was last in use at {each.Seen.LastSeen:O}. If it is not used any more: {RemovalOf(each)}."), StringComparer.Ordinal);

    private TimeProvider Time => environment.Time;

    private string Backend => transport.Features.System;

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
                // The store or the backend is out of reach, which others say: what was found stays until the next look.
            }

            await Task.Delay(Period, Time, stop);
        }
    }

    /// <summary>Forgets a subscription of this application, of which nothing is kept any more.</summary>
    public async Task ForgetAsync(string subscription, CancellationToken cancellationToken)
    {
        found = [.. found.Where(each => each.Seen.Service != service || each.Seen.Name != subscription)];
        try
        {
            await store.ForgetAsync(Backend, service, subscription, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The next look finds that nothing is kept, and forgets the name then.
        }
    }

    /// <summary>Notes what this instance consumes, and looks once for what no instance consumes.</summary>
    public async Task LookAsync(CancellationToken stop)
    {
        var now = Time.GetUtcNow();
        var names = await store.NoteAsync(Backend, consumed, now, stop);
        var candidates = names
            .Where(seen => (seen.Service != service || !known.Contains(seen.Name)) && now - seen.LastSeen > Quiet)
            .Where(seen => now - seen.LastSeen > QuietOfOthers || missing.GetValueOrDefault((seen.Service, seen.Name)) != seen.LastSeen)
            .OrderBy(seen => seen.Service != service)
            .ThenBy(seen => seen.LastSeen)
            .Take(MostLooked)
            .ToList();
        var left = new List<Leftover>();
        foreach (var seen in candidates)
        {
            if (await transport.FindKeptAsync(seen.Service, seen.Name, stop) is not { } kept)
            {
                await ForgetMissingAsync(seen, now, stop);
            }
            else if (kept.Consumers == 0)
            {
                left.Add(new Leftover(seen, kept));
            }
        }

        said.RemoveWhere(each => !left.Exists(leftover => (leftover.Seen.Service, leftover.Seen.Name) == each));
        foreach (var leftover in left)
        {
            Say(leftover, now);
        }

        found = left;
    }

    /// <summary>Another service may use another server with the same stores: its names stay for a while, and are not looked for again.</summary>
    private async Task ForgetMissingAsync(SeenSubscription seen, DateTimeOffset now, CancellationToken stop)
    {
        if (seen.Service == service || now - seen.LastSeen > QuietOfOthers)
        {
            await store.ForgetAsync(Backend, seen.Service, seen.Name, stop);
        }
        else
        {
            missing[(seen.Service, seen.Name)] = seen.LastSeen;
        }
    }

    private void Say(Leftover leftover, DateTimeOffset now)
    {
        var (seen, kept) = leftover;
        if ((seen.Service != service && now - seen.LastSeen <= QuietOfOthers) || !said.Add((seen.Service, seen.Name)))
        {
            return;
        }

        if (seen.Service == service)
        {
            environment.Log.SubscriptionLeftBehind(kept.Queue, seen.Name, kept.Waiting, seen.LastSeen, RemovalOf(leftover));
        }
        else
        {
            environment.Log.ServiceLeftBehind(seen.Service, kept.Queue, seen.LastSeen, kept.Waiting, RemovalOf(leftover));
        }
    }

    private string RemovalOf(Leftover leftover)
    {
        var call = $"RetireSubscriptionAsync(\"{leftover.Seen.Name}\")";
        return leftover.Seen.Service == service ? call : $"{call} in an application whose service name is '{leftover.Seen.Service}', or, if that is gone, {leftover.Kept.Removal}";
    }

    private sealed record Leftover(SeenSubscription Seen, KeptSubscription Kept);
}
