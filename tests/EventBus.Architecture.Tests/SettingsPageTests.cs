using System.Text;
using System.Text.Json.Nodes;

namespace EventBus.Architecture.Tests;

/// <summary>Checks that docs/settings.md has each setting of each package, with its default and its limits.</summary>
public sealed class SettingsPageTests
{
    private const string Page = "docs/settings.md";

    private const string Introduction = """
        # All settings

        Every setting that can be in `appsettings.json`, in the schemas that the packages contain. A key is a path: `:`
        separates its sections, and `__` in environment variables. Times have the form `d.hh:mm:ss`. An empty default is
        explained in the text. [configuration.md](configuration.md) has the rules; settings that are code, such as
        callbacks, are in the documentation of the options types.

        """;

    /// <summary>The headings of the packages, in the order of the page.</summary>
    private static readonly (string Package, string Heading)[] Sections =
    [
        ("EventBus.Core", "The bus"),
        ("EventBus.InMemory", "In memory"),
        ("EventBus.Redis", "Redis"),
        ("EventBus.RabbitMq", "RabbitMQ"),
        ("EventBus.Kafka", "Kafka"),
        ("EventBus.Sqlite", "SQLite"),
    ];

    [Fact]
    public async Task Page_OfAllSettings_IsThatOfTheSchemas()
    {
        var expected = Write();
        if (Environment.GetEnvironmentVariable("EVENTBUS_UPDATE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(Path.Combine(Repository.Root, Page), expected, TestContext.Current.CancellationToken);
            return;
        }

        Assert.True(Repository.Has(Page) && Repository.Read(Page).ReplaceLineEndings("\n") == expected, $"{Page} differs from the schemas. "
            + "Run this test with EVENTBUS_UPDATE_DOCS=1 to rewrite it, and review the difference before you commit it.");
    }

    [Fact]
    public void Page_OfAllSettings_HasEachPackageWithASchema() => Assert.Equal(
        Sections.Select(section => $"src/{section.Package}/ConfigurationSchema.json").Order(StringComparer.Ordinal),
        Repository.Files("src", "/ConfigurationSchema.json").Order(StringComparer.Ordinal));

    private static string Write()
    {
        var page = new StringBuilder(Introduction.ReplaceLineEndings("\n"));
        foreach (var (package, heading) in Sections)
        {
            page.Append($"\n## {heading}\n\n| key | default | meaning |\n| --- | --- | --- |\n");
            var schema = JsonNode.Parse(Repository.Read($"src/{package}/ConfigurationSchema.json"))!;
            foreach (var (key, setting) in Settings("EventBus", schema["properties"]!["EventBus"]!))
            {
                var value = setting["default"]?.ToString();
                page.Append($"| `{key}` | {(value is null ? "" : $"`{value}`")} | {Text(setting)} |\n");
            }
        }

        return page.ToString();
    }

    /// <summary>Returns the settings of a section and of the sections in it, each with its path.</summary>
    private static IEnumerable<(string Key, JsonNode Setting)> Settings(string path, JsonNode section)
    {
        if (section["additionalProperties"] is { } named)
        {
            return named["properties"] is null ? [($"{path}:<name>", section)] : Settings($"{path}:<name>", named);
        }

        return section["properties"] is JsonObject settings
            ? settings.SelectMany(pair => Settings($"{path}:{pair.Key}", pair.Value!))
            : [(path, section)];
    }

    private static string Text(JsonNode setting) =>
        (setting["description"]?.ToString() ?? "").Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");
}
