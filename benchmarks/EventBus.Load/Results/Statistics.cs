namespace EventBus.Load;

/// <summary>Medians, and how sure one may be of them.</summary>
internal static class Statistics
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2]
            : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The value at or below which a part of the sorted values lies (nearest rank).</summary>
    public static long Percentile(long[] sorted, double part) => sorted[Math.Clamp((int)Math.Ceiling(sorted.Length * part) - 1, 0, sorted.Length - 1)];

    /// <summary>The median with its interval of 95 %, from the order of the values alone: the ranks between which the median lies with that probability, whatever the distribution (binomial).</summary>
    public static Interval Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        if (sorted.Length == 0)
        {
            return default;
        }

        // The chance that at most k of n values lie below the median; both ends share the 5 %.
        var (below, probability) = (0, Math.Pow(0.5, sorted.Length));
        var term = probability;
        while (below < (sorted.Length / 2) - 1 && probability + (term * (sorted.Length - below) / (below + 1)) is var next && next <= 0.025)
        {
            term = term * (sorted.Length - below) / (below + 1);
            probability = next;
            below++;
        }

        return new Interval(Median(sorted), sorted[below], sorted[^(below + 1)]);
    }
}

/// <param name="Median">The median.</param>
/// <param name="Low">The lower end of the interval of 95 %.</param>
/// <param name="High">The upper end.</param>
internal readonly record struct Interval(double Median, double Low, double High);
