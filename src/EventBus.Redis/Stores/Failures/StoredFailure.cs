using StackExchange.Redis;

namespace EventBus;

/// <summary>The parts of an entry as read from Redis; null for a missing part.</summary>
internal readonly record struct StoredFailure(RedisResult State, RedisResult Event, RedisResult Body, RedisResult Errors);
