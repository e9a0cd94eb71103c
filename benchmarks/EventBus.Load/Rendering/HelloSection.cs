namespace EventBus.Load;

/// <summary>Writes the cost of starting a program.</summary>
internal static class HelloSection
{
    public static string Write(ResultFile file)
    {
        var (published, here) = (
            (file.Starts ?? []).Where(start => start.SizeMiB > 0).ToList(),
            (file.Starts ?? []).Where(start => start.SizeMiB == 0).ToList());
        var table = new MarkdownTable(
            "program",
            "published",
            "to the first handled event",
            "ratio",
            "peak memory",
            "ratio",
            "size",
            "ratio");
        foreach (var start in published)
        {
            var bare = published.Find(other => other.Program == Hello.Bare && other.IsNative == start.IsNative);
            table.Add(
                [
                    Titles.Program(start.Program),
                    start.IsNative ? "native AOT" : "framework-dependent",
                    .. Figures(start, bare),
                    $"{start.SizeMiB:0.00} MiB",
                    bare is null || bare == start ? "" : $"{start.SizeMiB / bare.SizeMiB:0.00}",
                ],
                isBold: start.Program == Hello.Bus);
        }

        if (here.Count == 0)
        {
            return table.ToString();
        }

        var peers = new MarkdownTable("library", "to the first handled event", "ratio", "peak memory", "ratio");
        foreach (var start in here)
        {
            peers.Add(
                [Titles.Program(start.Program), .. Figures(start, here.Find(other => other.Program == ContenderKind.Raw))],
                isBold: start.Program == Hello.BusHere);
        }

        return $"""
            {table.ToString().TrimEnd()}

            Compared with other libraries: each starts in a host without configuration and logging, the channel without a host.

            {peers.ToString().TrimEnd()}
            """;
    }

    /// <summary>Returns time and memory, and their ratios to another program.</summary>
    private static string[] Figures(StartSeries start, StartSeries? to)
    {
        return [
            $"{Median(sample => sample.Milliseconds):0.0} ms",
            Ratio(sample => sample.Milliseconds),
            $"{Median(sample => sample.PeakMiB):0.0} MiB",
            Ratio(sample => sample.PeakMiB)
        ];

        double Median(Func<StartSample, double> figure) => Statistics.Median(start.Rounds.Select(figure));

        string Ratio(Func<StartSample, double> figure) => to is null || to == start ? "" : Titles.Ratio(start.RatioTo(to, figure));
    }
}
