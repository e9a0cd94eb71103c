using StackExchange.Redis;

namespace EventBus;

/// <summary>What Redis has of an entry; null for what is missing.</summary>
internal readonly record struct StoredFailure(RedisResult State, RedisResult Event, RedisResult Body, RedisResult Errors);
