using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;

namespace EventBus;

/// <summary>Compares docs/monitoring.md and docs/alerts.yml with the metrics that a bus has.</summary>
public sealed class MonitoringPageTests
{
    private static readonly Regex Row = new(
        @"^\| `(?<name>(messaging|eventbus)\.[a-z_.]+)` \| `(?<prometheus>\w+)` \| (?<kind>\w+) \| `(?<unit>[^`]+)` \| (?<tags>[^|]*) \|",
        RegexOptions.Multiline);
    private static readonly Regex Expression = new(
        @"^ +expr: (?<expression>.*?)(?=^ +(for|labels):)",
        RegexOptions.Multiline | RegexOptions.Singleline);
    private static readonly Regex Labels = new(@"\b(by|on) \((?<labels>[^)]*)\)|\{(?<labels>[^}]*)\}");
    private static readonly Regex Metric = new(@"\b(messaging|eventbus)_\w+");

    private static string Page => Read("monitoring.md");

    private static string Rules => Read("alerts.yml");

    private static IEnumerable<string> Expressions => Expression.Matches(Rules).Select(match => match.Groups["expression"].Value);

    [Fact]
    public void Metrics_OfABus_AreThoseOfThePage()
    {
        var listed = Row.Matches(Page).Select(row => string.Join(
            ' ',
            new[] { "name", "prometheus", "kind", "unit" }.Select(column => row.Groups[column].Value)));

        Assert.Equal(
            Instruments().Select(each => $"{each.Name} {PrometheusNameOf(each)} {KindOf(each)} {each.Unit}").Order(StringComparer.Ordinal),
            listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Metrics_OfTheRules_Exist()
    {
        var known = Instruments().SelectMany(instrument => PrometheusNameOf(instrument) is var name && KindOf(instrument) == "histogram"
            ? new[] { $"{name}_bucket", $"{name}_sum", $"{name}_count" }
            : [name]);
        var used = Expressions.SelectMany(expression => Metric.Matches(Labels.Replace(expression, "")))
            .Select(match => match.Value)
            .Distinct(StringComparer.Ordinal)
            .ToList();

        Assert.True(used.Count >= 8, $"Only these metrics were found in the rules: {string.Join(", ", used)}");
        Assert.Empty(used.Except(known, StringComparer.Ordinal));
    }

    [Fact]
    public void Labels_OfTheRules_AreTagsOfThePage()
    {
        var tags = Row.Matches(Page)
            .SelectMany(row => Regex.Matches(row.Groups["tags"].Value, "`([^`]+)`"))
            .Select(tag => tag.Groups[1].Value.Replace('.', '_'));
        var used = Expressions.SelectMany(expression => Labels.Matches(expression))
            .SelectMany(match => Regex.Matches(match.Groups["labels"].Value, "[a-z_]+"))
            .Select(match => match.Value);

        Assert.Empty(used.Except([.. tags, "job", "le", "eventbus_bus"], StringComparer.Ordinal));
    }

    [Fact]
    public void Rules_OfTheFile_AreThoseOfThePage() =>
        Assert.Equal(
            Regex.Matches(Rules, @"^ +- alert: (\w+)$", RegexOptions.Multiline).Select(match => match.Groups[1].Value),
            Regex.Matches(Page, @"^\| `(EventBus\w+)` \|", RegexOptions.Multiline).Select(match => match.Groups[1].Value));

    [Fact]
    public void Rules_AboutGauges_TakeNoSumOfInstances()
    {
        var gauges = Instruments().Where(each => KindOf(each) == "gauge").Select(PrometheusNameOf).ToHashSet(StringComparer.Ordinal);

        Assert.All(
            Expressions.Where(expression => Metric.Matches(Labels.Replace(expression, "")).Any(match => gauges.Contains(match.Value))),
            expression => Assert.DoesNotMatch(@"\bsum\b", expression));
    }

    [Fact]
    public void Durations_OfHandlersAndPublishes_HaveTheBucketsOfTheConventions()
    {
        double[] expected = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

        var histograms = Instruments().OfType<Histogram<double>>()
            .ToDictionary(each => each.Name, each => each.Advice?.HistogramBucketBoundaries);

        Assert.Equal(expected, histograms["messaging.process.duration"]);
        Assert.Equal(expected, histograms["messaging.client.operation.duration"]);
        Assert.Equal(expected, histograms["eventbus.saga.state.duration"]?.Take(expected.Length));
        Assert.Equal(3, histograms.Count);
    }

    private static List<Instrument> Instruments()
    {
        using var factory = new MeasuredState();
        var meter = factory.Create(new MeterOptions(BusDiagnostics.Name));
        var found = new List<Instrument>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (ReferenceEquals(instrument.Meter, meter))
                {
                    found.Add(instrument);
                }
            },
        };
        listener.Start();
        using var diagnostics = new BusDiagnostics(factory, TimeProvider.System);
        return found;
    }

    private static string KindOf(Instrument instrument) => instrument switch
    {
        Counter<long> => "counter",
        Histogram<double> => "histogram",
        _ when instrument.IsObservable => "gauge",
        _ => instrument.GetType().Name,
    };

    /// <summary>Converts a name as the OpenTelemetry exporters for Prometheus do.</summary>
    private static string PrometheusNameOf(Instrument instrument) =>
        instrument.Name.Replace('.', '_')
        + (instrument.Unit == "s" ? "_seconds" : "")
        + (KindOf(instrument) == "counter" ? "_total" : "");

    private static string Read(string document) => File.ReadAllText(Path.Combine(
        typeof(MonitoringPageTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "RepositoryRoot").Value!,
        "docs",
        document)).ReplaceLineEndings("\n");
}
