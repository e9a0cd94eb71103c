using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents a page of pending entries that were taken over.</summary>
/// <param name="Last">The last id of the page; null if nothing was pending.</param>
/// <param name="Entries">The entries that are still in the stream, with the number of their earlier deliveries.</param>
/// <param name="Deleted">The number of pending entries that are no longer in the stream.</param>
internal sealed record RedisTakeover(RedisValue Last, IReadOnlyList<(RedisEntry Entry, int EarlierDeliveries)> Entries, int Deleted);
