using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus.ReadModel;

/// <summary>The results of a run, kept with the sources and replaced by a later run.</summary>
internal sealed record Results(Machine Machine, string Sqlite, LoadPlan Load, IReadOnlyList<Series> Series)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private static string Path { get; } = System.IO.Path.Combine(Repository.Root, "benchmarks/EventBus.ReadModel/results.json");

    /// <summary>Returns the kept results; null if there are none.</summary>
    public static Results? Read() => File.Exists(Path) ? JsonSerializer.Deserialize<Results>(File.ReadAllText(Path), Json) : null;

    /// <summary>Writes one line for each series, so that a difference is readable.</summary>
    public void Save()
    {
        var lines = Series.Select(series => Text(series with
        {
            Rounds = [.. series.Rounds.Select(round => new RoundResult(
                Math.Round(round.CheckoutP50, 3),
                Math.Round(round.CheckoutP99, 3),
                Math.Round(round.QueryP50, 3),
                Math.Round(round.QueryP99, 3)))],
        }));
        var head = $"\"machine\":{Text(Machine)},\n\"sqlite\":{Text(Sqlite)},\"load\":{Text(Load)},\n";
        File.WriteAllText(Path, $"{{{head}\"series\":[\n{string.Join(",\n", lines)}]}}\n");

        static string Text<T>(T value) => JsonSerializer.Serialize(value, Json);
    }

    public Series Of(Query query, Form form) => Series.Single(series => series.Query == query && series.Form == form);
}
