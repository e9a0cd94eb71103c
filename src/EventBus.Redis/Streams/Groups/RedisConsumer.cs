using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Represents one consumer of a subscription's group: what the parts of its receiver share.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Group">The commands of the group.</param>
/// <param name="Names">The names of the keys, and the clock.</param>
/// <param name="ClaimAfter">The time without activity after which the consumer counts as dead.</param>
/// <param name="Log">The log.</param>
internal sealed record RedisConsumer(Subscription Subscription, RedisGroup Group, RedisTopology Names, TimeSpan ClaimAfter, ILogger Log)
{
    // Large enough that fast handlers do not wait until their acknowledgements have reached Redis.
    private const int HeldPerHandler = 4;

    /// <summary>The clock.</summary>
    public TimeProvider Time => Names.Time;

    /// <summary>
    /// The maximum number of entries that are read and not yet acknowledged. If there are more streams than that, one
    /// entry of each stream may be read.
    /// </summary>
    public int Capacity => HeldPerHandler * Subscription.Concurrency;

    /// <summary>
    /// The time after a renewal for which this instance may act on what it owns. Shorter than <see cref="ClaimAfter"/>,
    /// so that this instance stops before another one begins.
    /// </summary>
    public TimeSpan KeepFor => ClaimAfter * 5 / 6;

    /// <summary>The commands on the pending entries of the group.</summary>
    public RedisPendingEntries Pending { get; } = new(Group);

    /// <summary>The commands on the consumers of the group.</summary>
    public RedisGroupMembers Members { get; } = new(Group);

    /// <summary>Divides a number of entries by the number of streams that are read at once; at least 1.</summary>
    public int ShareOf(int room) => Math.Max(1, room / Math.Max(1, Group.Streams.Count));

    /// <summary>Logs that unsettled entries could not be released.</summary>
    public void LogNotReleased(Exception exception) => Log.Failing(
        $"releasing for {Subscription.Name}",
        exception,
        logger => logger.NotReleased(Subscription.Name, ClaimAfter, Connector.Address.Explain(exception)));

    /// <summary>The connector that waits for answers over the shared connection.</summary>
    public required RedisConnector Connector { get; init; }

    /// <summary>The connection for commands that wait at the server.</summary>
    public required RedisBlockingConnection Blocking { get; init; }

    /// <summary>
    /// The connection for large answers. It is separate, so that short answers do not wait behind large ones, and large
    /// ones not behind a blocking command.
    /// </summary>
    public required RedisBlockingConnection Bulk { get; init; }

    /// <summary>The positions of the group in its streams.</summary>
    public required RedisGroupPositions Positions { get; init; }
}
