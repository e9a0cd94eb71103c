namespace EventBus;

/// <summary>How long to wait before Redis is asked again.</summary>
internal static class RedisBackoff
{
    /// <summary>50 ms, doubled with every failure up to 2 s, and spread.</summary>
    public static TimeSpan After(int failures) => TimeSpan.FromMilliseconds(Math.Min(2_000, 50 << Math.Min(failures, 6)) * (0.5 + (Random.Shared.NextDouble() / 2)));
}
