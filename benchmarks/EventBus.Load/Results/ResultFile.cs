using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventBus.Load;

/// <summary>
/// The results of a suite, kept with the sources: one JSON file for each suite, replaced by a later run.
/// </summary>
/// <param name="Suite">The name of the suite.</param>
/// <param name="Machine">The machine.</param>
/// <param name="Versions">The versions of the servers and libraries.</param>
/// <param name="Series">The measured series.</param>
/// <param name="Starts">The start times of programs; only in the suite that measures them.</param>
internal sealed record ResultFile(
    string Suite,
    Machine Machine,
    IReadOnlyDictionary<string, string> Versions,
    IReadOnlyList<Series> Series,
    IReadOnlyList<StartSeries>? Starts = null)
{
    /// <summary>The profiles of rows that missed a bar.</summary>
    public IReadOnlyList<Profile>? Profiles { get; init; }

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower), new RoundedConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    };

    /// <summary>True if everything was skipped.</summary>
    [JsonIgnore]
    public bool IsEmpty => Series.Count == 0 && Starts is not { Count: > 0 };

    public static JsonSerializerOptions Options => Json;

    public static ResultFile Load(string path) => JsonSerializer.Deserialize<ResultFile>(File.ReadAllText(path), Json)!;

    /// <summary>Writes one line for each series, so that a difference is readable.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        using var file = new StreamWriter(Path.Combine(folder, $"{Suite}.json"));
        file.NewLine = "\n";
        file.WriteLine($"{{\"suite\":{Text(Suite)},\"machine\":{Text(Machine)},");
        file.WriteLine($"\"versions\":{Text(Versions)},");
        Write("series", Series);
        file.WriteLine(Starts is null ? "" : ",");
        if (Starts is not null)
        {
            Write("starts", Starts);
            file.WriteLine();
        }

        if (Profiles is { Count: > 0 })
        {
            file.Write(",");
            Write("profiles", Profiles);
            file.WriteLine();
        }

        file.WriteLine("}");

        void Write<T>(string name, IReadOnlyList<T> lines)
        {
            file.WriteLine($"\"{name}\":[");
            file.Write(string.Join(",\n", lines.Select(line => Text(line))));
            file.Write("]");
        }

        static string Text<T>(T value) => JsonSerializer.Serialize(value, Json);
    }

    /// <summary>Rounds to four digits, which exceed the precision of a measurement.</summary>
    private sealed class RoundedConverter : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            var digits = value == 0 ? 0 : 4 - (int)Math.Ceiling(Math.Log10(Math.Abs(value)));
            writer.WriteNumberValue(digits > 0 ? (double)Math.Round((decimal)value, Math.Min(digits, 15)) : Math.Round(value));
        }
    }
}
