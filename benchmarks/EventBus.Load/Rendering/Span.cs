namespace EventBus.Load;

/// <summary>Percentiles of latency, in microseconds.</summary>
/// <param name="P50">The median.</param>
/// <param name="P99">The 99th percentile.</param>
/// <param name="P999">The 99.9th percentile.</param>
internal readonly record struct Span(double P50, double P99, double P999);
