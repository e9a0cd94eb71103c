namespace EventBus.ReadModel;

/// <summary>Writes the table of docs/cqrs.md.</summary>
internal static class ResultTable
{
    private static readonly (string Title, Func<RoundResult, double> Of)[] Figures =
    [
        ("checkout, p50", round => round.CheckoutP50),
        ("checkout, p99", round => round.CheckoutP99),
        ("query, p50", round => round.QueryP50),
        ("query, p99", round => round.QueryP99),
    ];

    public static string Write(Results results)
    {
        var (load, machine) = (results.Load, results.Machine);
        string[] lines =
        [
            $"{machine.Date}; {machine.Cores} cores ({machine.Processor}), {machine.MemoryGiB:0} GiB, {machine.System},",
            $"{machine.Runtime}, {machine.GarbageCollector} garbage collector, SQLite {results.Sqlite}. {load.Users} users with",
            $"{load.OrdersPerUser:N0} orders each; {load.CheckoutsPerSecond} checkouts and {load.QueriesPerSecond} queries a second;",
            $"{load.Rounds} rounds, in each of them {load.Seconds} s for each column.",
            "",
            "Heavy queries, the products that a user bought: a sum over all orders of the user.",
            "",
            Table(results, Query.Products),
            "",
            "Light queries, the latest 20 orders of a user: the index finds them.",
            "",
            Table(results, Query.Page),
        ];
        return string.Join('\n', lines);
    }

    private static string Table(Results results, Query query)
    {
        var table = new MarkdownTable("", "write tables", "read model", "ratio (95 %)", "read model in its own file", "ratio (95 %)");
        var (before, same, own) = (
            results.Of(query, Form.WriteTables),
            results.Of(query, Form.ReadModel),
            results.Of(query, Form.OwnFile));
        foreach (var (title, of) in Figures)
        {
            table.Add(
                [
                    title,
                    Time(before.Of(of)),
                    Time(same.Of(of)),
                    Ratio(same.RatioTo(before, of)),
                    Time(own.Of(of)),
                    Ratio(own.RatioTo(before, of)),
                ],
                isBold: title == "checkout, p99");
        }

        return table.ToString().TrimEnd();
    }

    private static string Time(Interval milliseconds) =>
        $"{milliseconds.Median.ToString(milliseconds.Median >= 10 ? "0.0" : "0.00")} ms";

    private static string Ratio(Interval ratio) => $"{ratio.Median:0.00} ({ratio.Low:0.00} to {ratio.High:0.00})";
}
