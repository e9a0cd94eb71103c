namespace EventBus.Load;

/// <summary>Writes the comparison of the transports, each with the bus.</summary>
internal static class TransportSection
{
    public static string Write(ResultFile file, Pictures pictures)
    {
        var transports = file.Series.Select(series => series.Arena.Transport).Distinct().ToList();
        var table = new MarkdownTable(["", .. transports.Select(Titles.Of)]);
        foreach (var mode in Titles.Throughputs)
        {
            Add($"throughput, {Titles.Of(mode)}", mode, one => Cells.Rate(one));
        }

        Add($"latency, {Titles.Of(Mode.OneInFlight)}: {Cells.Percentiles}", Mode.OneInFlight, Cells.Latency);
        Add("the steady rate", Mode.AtRate, one => one is null ? "" : $"{one.Rate:N0}/s");
        Add($"latency at that rate: {Cells.Percentiles}", Mode.AtRate, Cells.Latency);
        Add("CPU an event, 64 publishers", Mode.InFlight64, Cells.Cpu);
        Add("bytes an event, 64 publishers", Mode.InFlight64, Cells.Bytes);
        Add("peak memory, 64 publishers", Mode.InFlight64, Cells.Peak);
        return $"""
            {table}
            {SeriesPlots.Throughput(pictures, "transports", "EventBus: throughput of the transports", Rows())}

            {SeriesPlots.Latency(pictures, "transports", "EventBus: latency over the transports", Rows())}
            """;

        void Add(string what, Mode mode, Func<Series?, string> say) =>
            table.Add([what, .. transports.Select(transport => say(Find(transport, mode)))]);

        Series? Find(Transport transport, Mode mode) =>
            file.Series.FirstOrDefault(series => series.Arena.Transport == transport && series.Mode == mode);

        List<SeriesRow> Rows() =>
            transports.ConvertAll(transport => new SeriesRow(Titles.Of(transport), IsOurs: false, mode => Find(transport, mode)));
    }
}
