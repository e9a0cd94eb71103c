using StackExchange.Redis;

namespace EventBus;

/// <summary>A page of what was pending.</summary>
/// <param name="Last">The last of its ids; null when nothing is left.</param>
/// <param name="Entries">What is still in the stream, with how often it was handed out before.</param>
/// <param name="Deleted">How many entries were gone from the stream before the group had handled them.</param>
internal sealed record RedisTakeover(RedisValue Last, IReadOnlyList<(RedisEntry Entry, int EarlierDeliveries)> Entries, int Deleted);
