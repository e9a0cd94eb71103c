namespace EventBus.Load;

/// <summary>Writes the content of each marked part.</summary>
internal sealed class Places(IReadOnlyList<ResultFile> files, Pictures pictures)
{
    /// <summary>Returns the content of a part; null if the name is unknown.</summary>
    public string? Write(string name) => name switch
    {
        "machine" => Machines(),
        "bars" => BarTable(),
        "warm-up" => RowChecks.WarmUps(files),
        "profiles" => RowChecks.Profiles(files),
        "transports" => OfSuite(name, TransportSection.Write),
        "memory" or "rabbitmq" or "redis" or "redis-pubsub" or "kafka" => OfSuite(name, ContenderSection.Write),
        "curves" => OfSuite(name, CurveSection.Write),
        "hello" => OfSuite(name, (file, _) => HelloSection.Write(file)),
        _ => null,
    };

    private string OfSuite(string name, Func<ResultFile, Pictures, string> write) =>
        files.FirstOrDefault(file => file.Suite == name) is { } file ? write(file, pictures) : "Not measured.";

    private string Machines() => files.Count == 0 ? "Not measured." : string.Join('\n', files.Select(file =>
        $"* `{file.Suite}`, {file.Machine.Date}: "
            + $"{file.Machine}{string.Concat(VersionsOf(file))}."));

    private static IEnumerable<string> VersionsOf(ResultFile file) =>
        file.Versions.OrderBy(version => version.Key, StringComparer.Ordinal).Select(version => $"; {version.Key} {version.Value}");

    private string BarTable()
    {
        var (findings, table) = (new Findings(files), new MarkdownTable("work", "bar", "measured: median (95 %)", ""));
        foreach (var bar in Bars.All)
        {
            if (bar.Measure(findings) is { } found)
            {
                table.Add([bar.What, bar.Demand, bar.Show(found), bar.Verdict(found) is "met" ? "met" : $"**{bar.Verdict(found)}**"]);
            }
            else
            {
                table.Add([bar.What, bar.Demand, "", "not measured"]);
            }
        }

        return table.ToString();
    }
}
