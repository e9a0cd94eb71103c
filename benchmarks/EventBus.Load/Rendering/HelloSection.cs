namespace EventBus.Load;

/// <summary>What starting a program costs.</summary>
internal static class HelloSection
{
    public static string Write(ResultFile file)
    {
        var starts = file.Starts ?? [];
        var table = new MarkdownTable("program", "published", "to the first handled event", "ratio", "peak memory", "ratio", "size", "ratio");
        foreach (var start in starts)
        {
            var bare = starts.FirstOrDefault(other => other.Program == Hello.Bare && other.IsNative == start.IsNative);
            var other = bare == start ? null : bare;
            table.Add(
            [
                Titles.Program(start.Program),
                start.IsNative ? "native AOT" : "framework-dependent",
                $"{Median(sample => sample.Milliseconds):0.0} ms",
                Ratio(sample => sample.Milliseconds),
                $"{Median(sample => sample.PeakMiB):0.0} MiB",
                Ratio(sample => sample.PeakMiB),
                $"{start.SizeMiB:0.00} MiB",
                other is { SizeMiB: > 0 } ? $"{start.SizeMiB / other.SizeMiB:0.00}" : "",
            ],
            isBold: start.Program == Hello.Bus);

            double Median(Func<StartSample, double> figure) => Statistics.Median(start.Rounds.Select(figure));

            string Ratio(Func<StartSample, double> figure) => other is null ? "" : Titles.Ratio(start.RatioTo(other, figure));
        }

        return table.ToString();
    }
}
