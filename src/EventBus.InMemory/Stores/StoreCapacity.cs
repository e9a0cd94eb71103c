using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>The room that each subscription has for one kind of what the in-memory stores keep. Not thread-safe.</summary>
/// <param name="what">The kind, in the plural.</param>
/// <param name="advice">What makes room.</param>
/// <param name="capacity">How many of them one subscription may have.</param>
/// <param name="log">Where a shortage is logged.</param>
internal sealed class StoreCapacity(string what, string advice, int capacity, ILogger log)
{
    // In percent of the capacity. A shortage is logged once, until less than the lower of the two is used again.
    private const int Short = 80;
    private const int Enough = 70;

    private readonly Dictionary<string, Share> shares = new(StringComparer.Ordinal);

    /// <summary>From how many on there is a shortage.</summary>
    public int ShortFrom { get; } = Math.Max(1, PartOf(capacity, Short));

    /// <summary>Below how many a shortage is over.</summary>
    public int EnoughBelow { get; } = PartOf(capacity, Enough);

    /// <summary>Takes room for one more.</summary>
    /// <exception cref="StoreRefusedException">The subscription has no more room.</exception>
    public void Take(string subscription)
    {
        if (!shares.TryGetValue(subscription, out var share))
        {
            shares.Add(subscription, share = new Share());
        }

        Check(subscription, share.Used, ref share.IsShort);
        share.Used++;
    }

    /// <summary>Gives the room of one back.</summary>
    public void Give(string subscription)
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

    /// <summary>Looks whether there is room for one more.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="used">How many it has.</param>
    /// <param name="isShort">The shortage was logged already.</param>
    /// <exception cref="StoreRefusedException">There is none.</exception>
    public void Check(string subscription, int used, ref bool isShort)
    {
        if (used >= capacity)
        {
            throw new StoreRefusedException(
                StoreScope.Subscription,
                $"The in-memory store has no room left for the {what} of the subscription '{subscription}': it keeps {used:N0} of them. {advice}, raise InMemoryOptions.StoreCapacity, or use a durable store.");
        }

        if (used + 1 >= ShortFrom && !isShort)
        {
            isShort = true;
            log.StoreShort(subscription, used + 1, what, capacity);
        }
    }

    /// <summary>A sentence for each subscription that will soon have no room.</summary>
    public IEnumerable<string> Shortages() => shares.Where(share => share.Value.Used >= ShortFrom).Select(share => Describe(share.Key, share.Value.Used));

    /// <summary>Says how much room a subscription has used.</summary>
    public string Describe(string subscription, int used) =>
        $"The in-memory store keeps {used:N0} {what} of the subscription '{subscription}', and has room for {capacity:N0}. {advice}, raise InMemoryOptions.StoreCapacity, or use a durable store.";

    private static int PartOf(int whole, int percent) => (int)((long)whole * percent / 100);

    private sealed class Share
    {
        public bool IsShort;

        public int Used { get; set; }
    }
}
