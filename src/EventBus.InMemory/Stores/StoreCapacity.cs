using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Limits the number of entries of one kind that an in-memory store keeps for each subscription. Not thread-safe.
/// </summary>
/// <param name="what">The kind, in the plural.</param>
/// <param name="advice">The advice that is logged for making room.</param>
/// <param name="capacity">The maximum number of entries per subscription.</param>
/// <param name="log">The log for shortages.</param>
internal sealed class StoreCapacity(string what, string advice, int capacity, ILogger log)
{
    // Limits in percent of the capacity. A shortage is logged when the usage reaches the upper limit, and again only
    // after the usage was below the lower limit.
    private const int Short = 80;
    private const int Enough = 70;

    private readonly Dictionary<string, Share> shares = new(StringComparer.Ordinal);

    /// <summary>The number of entries from which there is a shortage.</summary>
    public int ShortFrom { get; } = Math.Max(1, PartOf(capacity, Short));

    /// <summary>The number of entries below which a shortage is over.</summary>
    public int EnoughBelow { get; } = PartOf(capacity, Enough);

    /// <summary>Reserves room for one entry.</summary>
    /// <exception cref="StoreRefusedException">The subscription has no more room.</exception>
    public void Reserve(string subscription)
    {
        if (!shares.TryGetValue(subscription, out var share))
        {
            shares.Add(subscription, share = new Share());
        }

        Check(subscription, share.Used, ref share.IsShort);
        share.Used++;
    }

    /// <summary>Frees the room of one entry.</summary>
    public void Release(string subscription)
    {
        if (!shares.TryGetValue(subscription, out var share))
        {
            return;
        }

        share.Used--;
        share.IsShort &= share.Used >= EnoughBelow;
        if (share.Used == 0)
        {
            shares.Remove(subscription);
        }
    }

    /// <summary>Checks that there is room for one more entry, and logs a shortage.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="used">The number of its entries.</param>
    /// <param name="isShort">True if the shortage was logged already.</param>
    /// <exception cref="StoreRefusedException">There is no room.</exception>
    public void Check(string subscription, int used, ref bool isShort)
    {
        if (used >= capacity)
        {
            throw new StoreRefusedException(
                StoreScope.Subscription,
                $"The in-memory store has no room left for the {what} of the subscription '{subscription}': it keeps {used:N0} of them. "
                    + $"{advice}, raise InMemoryOptions.StoreCapacity, or use a durable store.");
        }

        if (used + 1 >= ShortFrom && !isShort)
        {
            isShort = true;
            log.StoreShort(subscription, used + 1, what, capacity);
        }
    }

    /// <summary>Returns a sentence for each subscription that is short of room.</summary>
    public IEnumerable<string> Shortages() =>
        shares.Where(share => share.Value.Used >= ShortFrom).Select(share => Describe(share.Key, share.Value.Used));

    /// <summary>Describes how much room a subscription uses.</summary>
    public string Describe(string subscription, int used) =>
        $"The in-memory store keeps {used:N0} {what} of the subscription '{subscription}', and has room for {capacity:N0}. {advice}, "
            + "raise InMemoryOptions.StoreCapacity, or use a durable store.";

    private static int PartOf(int whole, int percent) => (int)((long)whole * percent / 100);

    private sealed class Share
    {
        public bool IsShort;

        public int Used { get; set; }
    }
}
