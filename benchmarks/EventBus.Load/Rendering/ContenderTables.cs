namespace EventBus.Load;

/// <summary>
/// Writes the tables of the contenders over one transport, in the same arena: one subscription and small events.
/// </summary>
internal sealed class ContenderTables(Transport transport, IReadOnlyList<Series> all)
{
    private readonly Arena arena = new(transport);

    public Transport Transport => transport;

    public IReadOnlyList<Series> All => all;

    /// <summary>
    /// In memory a publish call rarely waits, so one publisher is the usual case; over a broker one publisher measures
    /// round trips.
    /// </summary>
    public Mode CostMode => transport == Transport.Memory ? Mode.OneByOne : Mode.InFlight64;

    public int Rounds => all.Where(series => series.Arena == arena).Select(series => series.Rounds.Count).DefaultIfEmpty().Max();

    public string RawTitle => Titles.Contender(ContenderKind.Raw, transport);

    public IReadOnlyList<SeriesRow> Rows => [.. Contenders.Select(
        name => new SeriesRow(Titles.Contender(name, transport), name == ContenderKind.Bus, mode => Find(name, arena, mode)))];

    private IReadOnlyList<string> Contenders =>
        [.. all.Where(series => series.Arena == arena).Select(series => series.Contender).Distinct()];

    public Series? Find(string contender, Arena where, Mode mode) =>
        all.FirstOrDefault(series => series.Contender == contender && series.Arena == where && series.Mode == mode);

    public string Throughput()
    {
        var table = new MarkdownTable(["", .. Titles.Throughputs.Select(Titles.Of)]);
        return Fill(
            table,
            name => Titles.Throughputs.Select(mode => Cells.RateWithRatio(Find(name, arena, mode), Find(ContenderKind.Raw, arena, mode))));
    }

    public string Latency()
    {
        var rate = all.FirstOrDefault(series => series.Mode == Mode.AtRate)?.Rate ?? 0;
        var table = new MarkdownTable(
            "",
            $"{Titles.Of(Mode.OneInFlight)}: {Cells.Percentiles}",
            "ratio",
            $"{rate:N0} events a second: {Cells.Percentiles}",
            "ratio");
        return Fill(table, name => new[] { Mode.OneInFlight, Mode.AtRate }.SelectMany(
            mode => Pair(Find(name, arena, mode), Find(ContenderKind.Raw, arena, mode))));

        static string[] Pair(Series? one, Series? raw) => [Cells.Latency(one), Cells.Ratio(one, raw, sample => sample.P50)];
    }

    public string Cost()
    {
        var table = new MarkdownTable("", "CPU an event", "ratio", "bytes an event", "ratio", "peak memory");
        return Fill(table, name =>
        {
            var (one, raw) = (Find(name, arena, CostMode), Find(ContenderKind.Raw, arena, CostMode));

            // A raw channel allocates almost nothing, so a ratio to it is meaningless.
            var bytes = raw is not null && Cells.Median(raw, sample => sample.Bytes) >= 1
                ? Cells.Ratio(one, raw, sample => sample.Bytes)
                : "";
            return one is { Problem: not null }
                ? [Cells.Cpu(one)]
                : [Cells.Cpu(one), Cells.Ratio(one, raw, sample => sample.Cpu), Cells.Bytes(one), bytes, Cells.Peak(one)];
        });
    }

    private string Fill(MarkdownTable table, Func<string, IEnumerable<string>> cells)
    {
        foreach (var name in Contenders)
        {
            table.Add([Titles.Contender(name, transport), .. cells(name)], isBold: name == ContenderKind.Bus);
        }

        return table.ToString();
    }
}
