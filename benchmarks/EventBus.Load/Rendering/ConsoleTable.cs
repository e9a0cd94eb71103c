namespace EventBus.Load;

/// <summary>Prints the figures of a mode as soon as they are known.</summary>
internal static class ConsoleTable
{
    public static void Print(Mode mode, IReadOnlyList<Series> series)
    {
        var rate = series[0].Rate > 0 ? $" of {series[0].Rate:N0}/s" : "";
        Console.WriteLine($"  {Titles.Of(mode)}{rate}, {series[0].Rounds.Count} rounds of "
            + $"{string.Join(", ", series.Select(s => s.Events).Distinct().Select(events => $"{events:N0}"))} events");
        foreach (var one in series)
        {
            Console.WriteLine($"    {one.Contender,-18} {Line(mode, one, series[0])}");
        }
    }

    private static string Line(Mode mode, Series one, Series first)
    {
        if (one.Problem is { } problem)
        {
            return $"failed: {problem}";
        }

        Func<Sample, double> compared = Titles.IsLatency(mode) ? sample => sample.P50 : sample => sample.EventsPerSecond;
        var ratio = one == first ? "" : $"  ratio {Titles.Ratio(one.RatioTo(first, compared))}";
        var figure = Titles.IsLatency(mode)
            ? $"p50 {Titles.Time(Median(s => s.P50)),9}  p99 {Titles.Time(Median(s => s.P99)),9}  p99.9 "
                + $"{Titles.Time(Median(s => s.P999)),9}"
            : $"{Titles.Rate(Median(s => s.EventsPerSecond)),10}";
        return $"{figure}  {Median(s => s.Bytes),8:N0} B  "
            + $"{(mode == Mode.AtRate ? new string(' ', 15) : $"{Median(s => s.Cpu),8:0.00} us CPU")}  peak {Median(s => s.PeakMiB),5:0} "
            + $"MiB{ratio}";

        double Median(Func<Sample, double> of) => one.Of(of).Median;
    }
}
