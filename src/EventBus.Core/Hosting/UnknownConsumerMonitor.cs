using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Finds instances that share subscriptions with this one and not its stores: marks, retries, dead letters, delayed events and sagas of one are unknown to the other.</summary>
/// <param name="transport">Counts who consumes.</param>
/// <param name="stores">Say who of them is known.</param>
/// <param name="instance">This instance.</param>
/// <param name="subscriptions">What it consumes.</param>
/// <param name="environment">The clock and the log.</param>
internal sealed class UnknownConsumerMonitor(Transport transport, BusStores stores, string instance, IReadOnlyList<string> subscriptions, RunEnvironment environment)
{
    private const int MostNamed = 10;

    // A note outlives a few periods, so that an instance under load is not taken for a foreign one.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NoteFor = TimeSpan.FromSeconds(30);

    private readonly Dictionary<string, long> foreignSince = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<string> foreign = [];

    private TimeProvider Time => environment.Time;

    /// <summary>What is wrong; null when nothing is.</summary>
    public string? Complaint => foreign is { Count: > 0 } found
        ? $"Other instances consume {Named(found)} of this service and do not share its store, which is {stores.Name}. An idempotent subscription handles an event twice, and each instance has its own dead letters, order and sagas. Give all instances one store that they share (bus.StoreInRedis(...)), or run one instance only."
        : null;

    public async Task RunAsync(CancellationToken stop)
    {
        environment.Log.StoreIsPrivate(stores.Name, transport.Features.System);
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

    /// <summary>Lets the other instances of this machine know that this one has ended.</summary>
    public async Task EndAsync() => await stores.Instances!.ForgetAsync(instance, CancellationToken.None);

    private async Task LookAsync(CancellationToken stop)
    {
        var known = await stores.Instances!.NoteAsync(instance, subscriptions, Time.GetUtcNow(), NoteFor, stop);
        var found = new List<string>();
        foreach (var subscription in subscriptions)
        {
            if (await transport.CountOthersAsync(subscription, stop) is not { } others)
            {
                // Not known now: what was found stays.
                found.AddRange(foreign.Where(name => name == subscription));
            }
            else if (others.Count + 1 <= known.GetValueOrDefault(subscription))
            {
                foreignSince.Remove(subscription);
            }
            else if (Lasts(subscription, others.DeadFor))
            {
                found.Add(subscription);
            }
        }

        var before = foreign;
        foreign = found;
        if (found.Except(before, StringComparer.Ordinal).ToList() is { Count: > 0 } more)
        {
            environment.Log.ForeignConsumers(Named(more), stores.Name);
        }
        else if (found.Count == 0 && before.Count > 0)
        {
            environment.Log.ForeignConsumersGone();
        }
    }

    /// <summary>A consumer whose process has ended, such as the predecessor of this one, is counted for a while: only what stays longer is alive.</summary>
    private bool Lasts(string subscription, TimeSpan deadFor)
    {
        if (!foreignSince.TryGetValue(subscription, out var since))
        {
            foreignSince.Add(subscription, since = Time.GetTimestamp());
        }

        return Time.GetElapsedTime(since) > deadFor;
    }

    private static string Named(IReadOnlyList<string> names) =>
        $"{(names.Count == 1 ? "the subscription" : "the subscriptions")} {string.Join(", ", names.Take(MostNamed).Select(name => $"'{name}'"))}{(names.Count > MostNamed ? $" and {names.Count - MostNamed} more" : "")}";
}
