using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>One consumer of a subscription's group, and what its parts share.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Group">The commands.</param>
/// <param name="Names">The names, and the clock.</param>
/// <param name="ClaimAfter">After how long without a sign of life it counts as dead.</param>
/// <param name="Log">Where to tell.</param>
internal sealed record RedisConsumer(Subscription Subscription, RedisGroup Group, RedisTopology Names, TimeSpan ClaimAfter, ILogger Log)
{
    // So many that fast handlers need not wait until their acknowledgements have reached Redis.
    private const int HeldPerHandler = 4;

    /// <summary>How many entries are read and not yet acknowledged at most. With more streams than that, one of each.</summary>
    public int Capacity => HeldPerHandler * Subscription.Concurrency;

    /// <summary>How long after a sign of life this instance may act on what it owns. Shorter than <see cref="ClaimAfter"/>, so that it lets go before another begins.</summary>
    public TimeSpan KeepFor => ClaimAfter * 5 / 6;

    /// <summary>How many entries of each stream fit in.</summary>
    public int ShareOf(int room) => Math.Max(1, room / Math.Max(1, Group.Streams.Count));

    /// <summary>Waits for answers over the shared connection.</summary>
    public required RedisConnector Connector { get; init; }

    /// <summary>The connection that may wait at the server.</summary>
    public required RedisBlockingConnection Blocking { get; init; }

    /// <summary>The connection for answers that may be large: what is short does not wait behind them, and nothing waits at the server before them.</summary>
    public required RedisBlockingConnection Bulk { get; init; }

    /// <summary>Where the group stands in its streams.</summary>
    public required RedisGroupPositions Place { get; init; }
}
