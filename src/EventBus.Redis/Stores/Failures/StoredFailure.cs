using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// The parts of an entry as read from Redis. A missing part is a null result (<see cref="RedisResult.IsNull"/>).
/// </summary>
internal readonly record struct StoredFailure(RedisResult State, RedisResult Event, RedisResult Body, RedisResult Errors);
