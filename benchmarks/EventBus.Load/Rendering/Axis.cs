namespace EventBus.Load;

/// <summary>Maps values to positions of a picture.</summary>
internal sealed class Axis
{
    /// <summary>Up to this number of powers of ten, their multiples by 2 and 5 have room for labels too.</summary>
    private const double FewDecades = 2.2;

    private readonly double low;
    private readonly double high;
    private readonly double from;
    private readonly double to;

    private Axis(bool isLogarithmic, double low, double high, double from, double to, IReadOnlyList<double> ticks)
    {
        (IsLogarithmic, Ticks) = (isLogarithmic, ticks);
        (this.low, this.high, this.from, this.to) = (low, high, from, to);
    }

    public bool IsLogarithmic { get; }

    /// <summary>The values with labels.</summary>
    public IReadOnlyList<double> Ticks { get; }

    /// <summary>Makes an axis for values above 0. It begins below the smallest value.</summary>
    /// <param name="values">The values.</param>
    /// <param name="from">The position of its begin.</param>
    /// <param name="to">The position of its end.</param>
    /// <param name="beginsAtLabel">True to begin at a value with a label.</param>
    public static Axis Logarithmic(IReadOnlyList<double> values, double from, double to, bool beginsAtLabel = true)
    {
        var (least, most) = (values.Min() * 0.7, values.Max() * 1.05);
        var steps = Steps((int)Math.Floor(Math.Log10(least)) - 1, (int)Math.Ceiling(Math.Log10(most)) + 1).ToList();
        var (low, high) = (steps.Last(step => step <= least), steps.First(step => step >= most));
        var isShort = Math.Log10(high / low) <= FewDecades;
        if (beginsAtLabel && !isShort)
        {
            low = steps.Last(step => step <= least && IsPowerOfTen(step));
        }

        return new Axis(
            true,
            low,
            high,
            from,
            to,
            [.. steps.Where(step => step >= low && step <= high && (isShort || IsPowerOfTen(step)))]);
    }

    /// <summary>Makes an axis that begins at 0.</summary>
    public static Axis Linear(IReadOnlyList<double> values, double from, double to)
    {
        var aim = values.Max() / 6;
        var step = Steps((int)Math.Floor(Math.Log10(aim)) - 1, (int)Math.Ceiling(Math.Log10(aim)) + 1).First(step => step >= aim);
        return new Axis(false, 0, values.Max(), from, to, [.. Enumerable.Range(0, (int)(values.Max() / step) + 1).Select(i => i * step)]);
    }

    public double At(double value)
    {
        var part = IsLogarithmic ? Math.Log10(value / low) / Math.Log10(high / low) : (value - low) / (high - low);
        return from + (Math.Clamp(part, 0, 1) * (to - from));
    }

    private static IEnumerable<double> Steps(int first, int last) =>
        Enumerable.Range(first, last - first + 1).SelectMany(power => ((double[])[1, 2, 5]).Select(digit => digit * Math.Pow(10, power)));

    private static bool IsPowerOfTen(double value) => Math.Abs(Math.Log10(value) - Math.Round(Math.Log10(value))) < 1e-9;
}
