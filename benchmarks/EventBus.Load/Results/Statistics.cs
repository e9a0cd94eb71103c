namespace EventBus.Load;

/// <summary>Calculates medians and their confidence intervals.</summary>
internal static class Statistics
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2]
            : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Returns a percentile of sorted values (nearest rank).</summary>
    public static long Percentile(long[] sorted, double part) =>
        sorted[Math.Clamp((int)Math.Ceiling(sorted.Length * part) - 1, 0, sorted.Length - 1)];

    /// <summary>
    /// Returns the median with its interval of 95 %, from the order of the values: the ranks between which the median
    /// lies with that probability for any distribution (binomial).
    /// </summary>
    public static Interval Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        if (sorted.Length == 0)
        {
            return default;
        }

        // The probability that at most k of n values lie below the median; both ends share the 5 %.
        var (below, probability) = (0, Math.Pow(0.5, sorted.Length));
        var term = probability;
        while (below < (sorted.Length / 2) - 1 && probability + (term * (sorted.Length - below) / (below + 1)) is var next && next <= 0.025)
        {
            term = term * (sorted.Length - below) / (below + 1);
            probability = next;
            below++;
        }

        return new Interval(Median(sorted), sorted[below], sorted[^(below + 1)], sorted.Length);
    }

    /// <summary>
    /// Returns how surely values that follow each other rise (above 0) or fall (below 0): the test of Mann and Kendall,
    /// in standard deviations. Without a trend it lies between -1.96 and 1.96 in 95 of 100 cases.
    /// </summary>
    public static double Trend(IReadOnlyList<double> values)
    {
        var sum = 0;
        for (var later = 1; later < values.Count; later++)
        {
            for (var earlier = 0; earlier < later; earlier++)
            {
                sum += Math.Sign(values[later] - values[earlier]);
            }
        }

        var variance = values.Count * (values.Count - 1.0) * ((2 * values.Count) + 5) / 18;
        return variance == 0 ? 0 : (sum - Math.Sign(sum)) / Math.Sqrt(variance);
    }
}

/// <param name="Median">The median.</param>
/// <param name="Low">The lower end of the interval of 95 %.</param>
/// <param name="High">The upper end.</param>
/// <param name="Count">The number of values.</param>
internal readonly record struct Interval(double Median, double Low, double High, int Count = 1);
