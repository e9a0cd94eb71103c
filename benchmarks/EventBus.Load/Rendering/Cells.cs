namespace EventBus.Load;

/// <summary>Formats the cells of the tables. The cells of a failed series show its error.</summary>
internal static class Cells
{
    /// <summary>A contender that handled less than this share of the rate was not measured at that rate.</summary>
    private const double Carried = 0.95;

    public const string Percentiles = "p50 / p99 / p99.9";

    public static string Rate(Series? series, int times = 1) =>
        Of(series, one => Titles.Rate(Median(one, sample => sample.EventsPerSecond) * times));

    /// <summary>Returns the rate and, below it, its ratio to the raw client.</summary>
    public static string RateWithRatio(Series? series, Series? raw) =>
        Ratio(series, raw, sample => sample.EventsPerSecond) is { Length: > 0 } ratio ? $"{Rate(series)}<br>{ratio}" : Rate(series);

    public static string Latency(Series? series) => Of(series, one =>
    {
        var percentiles = $"{Titles.Time(Median(one, sample => sample.P50))} / {Titles.Time(Median(one, sample => sample.P99))} / "
            + $"{Titles.Time(Median(one, sample => sample.P999))}";
        var rate = Median(one, sample => sample.EventsPerSecond);
        return rate < one.Rate * Carried ? $"{percentiles}<br>carried only {Titles.Rate(rate)}" : percentiles;
    });

    public static string Cpu(Series? series) => Of(series, one => Titles.Time(Median(one, sample => sample.Cpu)));

    public static string Bytes(Series? series) => Of(series, one => $"{Median(one, sample => sample.Bytes):N0} B");

    public static string Peak(Series? series) => Of(series, one => $"{Median(one, sample => sample.PeakMiB):N0} MiB");

    /// <summary>
    /// Returns the ratio to another series; empty for the series itself, and if one of them is missing or failed.
    /// </summary>
    public static string Ratio(Series? series, Series? other, Func<Sample, double> figure) =>
        series is null || other is null || series == other ? "" : Titles.Ratio(series.RatioTo(other, figure));

    public static double Median(Series series, Func<Sample, double> figure) => series.Of(figure).Median;

    private static string Of(Series? series, Func<Series, string> say) =>
        series is null ? "not measured" : series.Problem is { } problem ? $"failed: {problem}" : say(series);
}
