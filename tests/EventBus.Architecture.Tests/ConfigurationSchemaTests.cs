using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks the JSON schemas from which editors complete appsettings.json: they are those of the options, and the
/// examples of the documents follow them.
/// </summary>
public sealed class ConfigurationSchemaTests
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // A JSON object with a section of the bus, indented as a code block or between fences.
    private static readonly Regex Example = new(
        @"^(?<indent> *)\{\n\k<indent> +""EventBus"": \{.*?^\k<indent>\}$",
        RegexOptions.Multiline | RegexOptions.Singleline);

    /// <summary>The options of each package, by the section in that of the bus; empty for the bus itself.</summary>
    private static readonly Dictionary<string, Dictionary<string, Type>> Packages = new()
    {
        ["EventBus.Core"] = new() { [""] = typeof(EventBusOptions) },
        ["EventBus.InMemory"] = new() { ["InMemory"] = typeof(InMemoryOptions) },
        ["EventBus.Kafka"] = new() { ["Kafka"] = typeof(KafkaOptions) },
        ["EventBus.RabbitMq"] = new() { ["RabbitMq"] = typeof(RabbitMqOptions) },
        ["EventBus.Redis"] = new() { ["Redis"] = typeof(RedisOptions), ["RedisPubSub"] = typeof(RedisPubSubOptions) },
        ["EventBus.Sqlite"] = new() { ["Sqlite"] = typeof(SqliteStoreOptions) },
    };

    public static TheoryData<string> Names => [.. Packages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Schema_OfAPackage_IsThatOfItsOptions(string package)
    {
        var path = $"src/{package}/ConfigurationSchema.json";
        var expected = Schema(package).ToJsonString(Indented) + "\n";
        if (Environment.GetEnvironmentVariable("EVENTBUS_UPDATE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(Path.Combine(Repository.Root, path), expected, TestContext.Current.CancellationToken);
            return;
        }

        Assert.True(Repository.Has(path) && Repository.Read(path).ReplaceLineEndings("\n") == expected, $"{path} differs from the options. "
            + "Run this test with EVENTBUS_UPDATE_DOCS=1 to rewrite it, and review the difference before you commit it.");
    }

    [Fact]
    public void Examples_OfDocuments_FollowTheSchemas()
    {
        var sections = Packages.Keys.Select(Schema).Select(schema => schema["properties"]!["EventBus"]!).ToList();
        var examples = Repository.Files("docs", ".md")
            .SelectMany(path => Example.Matches(Repository.Read(path).ReplaceLineEndings("\n"))
                .Select(match => (Path: path, Text: match.Value)))
            .ToList();

        Assert.Contains(examples, example => example.Path == "docs/configuration.md");
        Assert.Contains(examples, example => example.Path == "docs/production.md");
        Rule.NoOffenders(
            examples.SelectMany(example => Problems(JsonNode.Parse(example.Text)!["EventBus"]!, sections, "EventBus")
                .Select(problem => $"{example.Path}: {problem}")),
            "These settings of examples are not in the schemas, or have another type:");
    }

    private static JsonObject Schema(string package)
    {
        var section = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject() };
        foreach (var (name, type) in Packages[package])
        {
            if (name.Length == 0)
            {
                section = OptionsSchema.Of(type);
            }
            else
            {
                section["properties"]![name] = OptionsSchema.Of(type);
            }
        }

        return new JsonObject { ["type"] = "object", ["properties"] = new JsonObject { ["EventBus"] = section } };
    }

    private static IEnumerable<string> Problems(JsonNode value, IReadOnlyList<JsonNode> schemas, string path)
    {
        if (value is not JsonObject section)
        {
            var type = value is JsonArray ? "array" : value.GetValueKind() switch
            {
                JsonValueKind.String => "string",
                JsonValueKind.True or JsonValueKind.False => "boolean",
                _ => "integer",
            };
            return schemas.Any(schema => schema["type"]!.GetValue<string>() == type
                && (schema["pattern"] is not { } pattern || Regex.IsMatch(value.GetValue<string>(), pattern.GetValue<string>())))
                ? []
                : [$"{path} is {value.ToJsonString()}"];
        }

        return section.SelectMany(pair =>
        {
            JsonNode[] inner = [.. schemas
                .Select(schema => schema["properties"]?[pair.Key] ?? schema["additionalProperties"])
                .OfType<JsonNode>()];
            return inner.Length == 0 ? [$"{path}:{pair.Key}"] : Problems(pair.Value!, inner, $"{path}:{pair.Key}");
        });
    }
}
