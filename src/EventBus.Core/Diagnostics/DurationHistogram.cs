using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>
/// Creates histograms of durations in seconds, with the buckets of the OpenTelemetry semantic conventions. Without this
/// advice, a collector would use buckets for milliseconds, and nearly all durations would be in the first one.
/// </summary>
internal static class DurationHistogram
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    // A saga may wait for days.
    private static readonly InstrumentAdvice<double> UpToDays = new()
    {
        HistogramBucketBoundaries = [.. Seconds.HistogramBucketBoundaries!, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800],
    };

    /// <summary>Creates a histogram of durations in seconds, mostly below 10 s.</summary>
    /// <param name="meter">The meter.</param>
    /// <param name="name">The name of the metric.</param>
    /// <param name="description">The description that collectors show.</param>
    public static Histogram<double> Create(Meter meter, string name, string description) =>
        meter.CreateHistogram(name, "s", description, tags: null, Seconds);

    /// <summary>Creates a histogram of durations in seconds, up to days.</summary>
    /// <param name="meter">The meter.</param>
    /// <param name="name">The name of the metric.</param>
    /// <param name="description">The description that collectors show.</param>
    public static Histogram<double> CreateLong(Meter meter, string name, string description) =>
        meter.CreateHistogram(name, "s", description, tags: null, UpToDays);
}
