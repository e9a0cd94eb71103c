using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that docs/choose.md agrees with the benchmarks and with samples/compose.yaml.</summary>
public sealed class ChoosePageTests
{
    private static readonly Regex Setting = new(@"--(?<name>\S+) (?<value>\S+)");
    private static readonly Regex SettingOfThePage = new(@"^redis-cli config set (?<name>\S+) (?<value>\S+)$", RegexOptions.Multiline);

    private static string Page => Repository.Read("docs/choose.md").ReplaceLineEndings("\n");

    [Fact]
    public void Rates_OfTheBackends_EqualTheBenchmarks()
    {
        var measured = MarkdownTables.Throughputs("64 publishers");
        Rule.NoOffenders(
            from rate in MarkdownTables.Cells(MarkdownTables.Table(Page, "backends"), "measured, events a second")
            let expected = measured.GetValueOrDefault(rate.Key, MarkdownTables.NotMeasured)
            where expected != rate.Value
            select $"{rate.Key}: {rate.Value} instead of {expected}",
            "These figures of docs/choose.md are not those of the first table of docs/benchmarks.md, 64 publishers. Copy them; a "
                + $"backend without a column there is '{MarkdownTables.NotMeasured}':");
    }

    [Fact]
    public void Servers_OfTheComposeFile_EqualThePage()
    {
        var file = ComposeFile.Parse(Repository.Read("samples/compose.yaml"));
        var servers =
            from ports in file
            let path = ports.Key.Split('/')
            where path is ["services", _, "ports"]
            from port in ports
            select $"{path[1]} | `{file[$"services/{path[1]}/image"].Single()}` | {PortOf(port)}";
        Assert.Equal(
            servers.Order(StringComparer.Ordinal),
            MarkdownTables.Table(Page, "servers").Skip(2).Select(row => string.Join(" | ", row[..3])).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Settings_OfTheComposeFile_EqualThePage()
    {
        var command = ComposeFile.Parse(Repository.Read("samples/compose.yaml"))["services/redis/command"].Single();
        var settings = Settings(Setting.Matches(command));
        Assert.Equal(settings, Settings(SettingOfThePage.Matches(Page)));
        Assert.Equal([("appendonly", "yes"), ("maxmemory-policy", "noeviction")], settings);
    }

    [Fact]
    public void Compose_LineThatCannotBeRead_Throws() =>
        Assert.Throws<FormatException>(() => ComposeFile.Parse("services:\n   redis:\n"));

    /// <summary>Returns the port of a mapping such as 127.0.0.1:6379:6379.</summary>
    private static string PortOf(string mapping)
    {
        var parts = mapping.Split(':');
        Assert.Equal("127.0.0.1", parts[0]); // the servers have no password
        Assert.Equal(parts[1], parts[2]);
        return parts[1];
    }

    private static (string Name, string Value)[] Settings(MatchCollection matches) =>
        [.. matches.Select(match => (match.Groups["name"].Value, match.Groups["value"].Value))];
}
