using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Limits the number of entries of one kind that an in-memory store keeps for each subscription. Not thread-safe.
/// </summary>
/// <param name="kind">The kind of the entries, in the plural, for the texts.</param>
/// <param name="advice">The advice for making room, as the beginning of a sentence.</param>
/// <param name="capacity">The maximum number of entries per subscription.</param>
/// <param name="log">The log for shortages.</param>
internal sealed class StoreCapacity(string kind, string advice, int capacity, ILogger log)
{
    // Limits in percent of the capacity. A shortage is logged when the usage reaches the upper limit, and again only
    // after the usage was below the lower limit.
    private const int ShortagePercent = 80;
    private const int EndOfShortagePercent = 70;

    private readonly Dictionary<string, Usage> usages = new(StringComparer.Ordinal);

    /// <summary>The maximum number of entries per subscription.</summary>
    public int Capacity => capacity;

    /// <summary>The number of entries from which there is a shortage.</summary>
    public int ShortFrom { get; } = Math.Max(1, PercentOf(capacity, ShortagePercent));

    /// <summary>The number of entries below which a shortage is over.</summary>
    public int ShortageEndsBelow { get; } = PercentOf(capacity, EndOfShortagePercent);

    /// <summary>Reserves room for one entry.</summary>
    /// <exception cref="StoreRefusedException">The subscription has no more room.</exception>
    public void Reserve(string subscription)
    {
        if (!usages.TryGetValue(subscription, out var usage))
        {
            usage = new Usage();
            usages.Add(subscription, usage);
        }

        CheckRoom(subscription, usage.Count, ref usage.IsShortageLogged);
        usage.Count++;
    }

    /// <summary>Frees the room of one entry.</summary>
    public void Release(string subscription)
    {
        if (!usages.TryGetValue(subscription, out var usage))
        {
            return;
        }

        usage.Count--;
        if (usage.Count < ShortageEndsBelow)
        {
            usage.IsShortageLogged = false;
        }

        if (usage.Count == 0)
        {
            usages.Remove(subscription);
        }
    }

    /// <summary>Checks that there is room for one more entry, and logs a shortage.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="count">The number of the subscription's entries.</param>
    /// <param name="isShortageLogged">True if the shortage was logged already; set if it is logged.</param>
    /// <exception cref="StoreRefusedException">There is no room.</exception>
    public void CheckRoom(string subscription, int count, ref bool isShortageLogged)
    {
        if (count >= capacity)
        {
            throw new StoreRefusedException(
                StoreScope.Subscription,
                $"The in-memory store has no room left for the {kind} of the subscription '{subscription}': it keeps {count:N0} of them. "
                    + $"{advice}, raise InMemoryOptions.StoreCapacity, or use a durable store.");
        }

        if (count + 1 >= ShortFrom && !isShortageLogged)
        {
            isShortageLogged = true;
            log.StoreShort(subscription, count + 1, kind, capacity, advice);
        }
    }

    /// <summary>Returns a sentence for each subscription that is short of room.</summary>
    public IEnumerable<string> Shortages() =>
        usages.Where(usage => usage.Value.Count >= ShortFrom).Select(usage => Describe(usage.Key, usage.Value.Count));

    /// <summary>Describes how much room a subscription uses.</summary>
    public string Describe(string subscription, int count) =>
        $"The in-memory store holds {count:N0} {kind} of the subscription '{subscription}', and has room for {capacity:N0}. {advice}, "
            + "raise InMemoryOptions.StoreCapacity, or use a durable store.";

    private static int PercentOf(int whole, int percent) => (int)((long)whole * percent / 100);

    private sealed class Usage
    {
        // A field, because it is passed by reference.
        public bool IsShortageLogged;

        public int Count { get; set; }
    }
}
