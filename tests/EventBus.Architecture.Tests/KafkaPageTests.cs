namespace EventBus.Architecture.Tests;

/// <summary>Checks that the figures of docs/kafka.md are those of the benchmarks.</summary>
public sealed class KafkaPageTests
{
    [Theory]
    [InlineData("one publisher, awaits each")]
    [InlineData("64 publishers, each awaits its own")]
    [InlineData("one publisher, a list")]
    public void Rates_OfTheBackends_EqualTheBenchmarks(string mode)
    {
        var measured = MarkdownTables.Throughputs(mode);
        var page = MarkdownTables.Cells(MarkdownTables.Table(Repository.Read("docs/kafka.md"), "measured"), mode);
        Rule.NoOffenders(
            from rate in page
            let expected = measured.GetValueOrDefault(rate.Key, MarkdownTables.NotMeasured)
            where expected != rate.Value
            select $"{mode}, {rate.Key}: {rate.Value} instead of {expected}",
            "These figures of docs/kafka.md are not those of the first table of docs/benchmarks.md. Copy them; a backend without a "
                + $"column there is '{MarkdownTables.NotMeasured}':");
        Assert.Contains("Kafka", page.Keys);
    }
}
