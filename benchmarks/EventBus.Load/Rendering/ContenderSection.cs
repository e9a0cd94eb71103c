using System.Text;

namespace EventBus.Load;

/// <summary>Writes the comparison of the contenders of a suite, for each transport.</summary>
internal static class ContenderSection
{
    public static string Write(ResultFile file, Pictures pictures)
    {
        var text = new StringBuilder();
        var transports = file.Series.Select(series => series.Arena.Transport).Distinct().ToList();
        foreach (var transport in transports)
        {
            if (transports.Count > 1)
            {
                text.Append($"### {Titles.Of(transport)}\n\n");
            }

            var series = file.Series.Where(one => one.Arena.Transport == transport).ToList();
            var plots = transport == Transport.RabbitMqClassic ? $"{file.Suite}-classic" : file.Suite;
            text.Append(Base(new ContenderTables(transport, series), plots, pictures)).Append("\n\n");
        }

        return text.Append(Guarantees(file)).ToString();
    }

    private static string Base(ContenderTables tables, string plots, Pictures pictures)
    {
        var where = Titles.Of(tables.Transport);
        return $"""
            Throughput; under it the ratio to the {tables.RawTitle}. {tables.Rounds} rounds.

            {tables.Throughput()}
            {SeriesPlots.Throughput(pictures, plots, $"{where}: throughput", tables.Rows)}

            Latency, and the ratio of its p50.

            {tables.Latency()}
            {SeriesPlots.Latency(pictures, plots, $"{where}: latency", tables.Rows)}

            Cost, {Titles.Of(tables.CostMode)}.

            {tables.Cost()}
            {new AxisTables(tables)}
            """.TrimEnd();
    }

    private static string Guarantees(ResultFile file)
    {
        var kinds = file.Series
            .Select(series => ContenderKind.All.FirstOrDefault(
                kind => kind.Name == series.Contender && kind.Transports.Contains(series.Arena.Transport)))
            .OfType<ContenderKind>()
            .Distinct();
        return $"What each row guarantees:\n\n{string.Join('\n', kinds.Select(kind => $"* {kind.Title}: {kind.Guarantee}."))}";
    }
}
