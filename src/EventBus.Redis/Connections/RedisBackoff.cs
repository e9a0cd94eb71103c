namespace EventBus;

/// <summary>Computes the backoff before the next request to Redis.</summary>
internal static class RedisBackoff
{
    /// <summary>Returns 50 ms, doubled with each failure up to 2 s, with jitter (50 to 100 % of that time).</summary>
    public static TimeSpan After(int failures) => TimeSpan.FromMilliseconds(Math.Min(2_000, 50 << Math.Min(failures, 6)) * (0.5 + (Random.Shared.NextDouble() / 2)));
}
