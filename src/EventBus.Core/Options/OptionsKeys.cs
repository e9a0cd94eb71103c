using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace EventBus;

/// <summary>
/// Holds the keys that a configuration section may have, and finds the mistakes in the keys of a section.
/// </summary>
internal sealed class OptionsKeys
{
    private readonly SortedDictionary<string, OptionsKey> keys = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> sectionNames = [];

    /// <summary>Reads the keys from the properties of an options type.</summary>
    public static OptionsKeys Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] TOptions>()
    {
        var found = new OptionsKeys();
        foreach (var property in typeof(TOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.SetMethod is { IsPublic: true } || typeof(IEnumerable).IsAssignableFrom(property.PropertyType))
            {
                found.keys.Add(property.Name, new OptionsKey(property.PropertyType));
            }
        }

        return found;
    }

    /// <summary>Declares that a key is a section with options of its own.</summary>
    public OptionsKeys WithSection(string key, OptionsKeys section)
    {
        keys[key] = keys[key] with { Section = section };
        return this;
    }

    /// <summary>Declares that a key is a section of named sections, each with the same options.</summary>
    public OptionsKeys WithNamedSections(string key, OptionsKeys section)
    {
        keys[key] = keys[key] with { NamedSections = section };
        return this;
    }

    /// <summary>Names sections that may stand next to the settings, and that an unknown key may mean.</summary>
    public OptionsKeys WithSections(IEnumerable<string> sections)
    {
        sectionNames.AddRange(sections);
        return this;
    }

    /// <summary>Returns true if a key is a setting. Case does not matter.</summary>
    public bool Contains(string key) => keys.ContainsKey(key);

    /// <summary>Gets the type of the value at a path below the section; null if the path is not known.</summary>
    public Type? TypeOf(ReadOnlySpan<char> path)
    {
        var delimiter = path.IndexOf(ConfigurationPath.KeyDelimiter, StringComparison.Ordinal);
        var name = delimiter < 0 ? path : path[..delimiter];
        if (!keys.TryGetValue(name.ToString(), out var key))
        {
            return null;
        }

        var rest = delimiter < 0 ? [] : path[(delimiter + 1)..];
        if (key.Section is { } section)
        {
            return section.TypeOf(rest);
        }

        if (key.NamedSections is { } named)
        {
            // The next part of the path is the name.
            var afterName = rest.IndexOf(ConfigurationPath.KeyDelimiter, StringComparison.Ordinal) + 1;
            return named.TypeOf(rest[afterName..]);
        }

        return key.Type;
    }

    /// <summary>
    /// Finds the keys that are unknown, the keys that hold a section instead of a value, and the keys that hold a value
    /// instead of a section. The texts contain keys and never values.
    /// </summary>
    /// <param name="section">The configuration section.</param>
    /// <param name="isBoundElsewhere">Returns true for a path that is bound to other options.</param>
    public IEnumerable<string> Problems(IConfiguration section, Func<string, bool> isBoundElsewhere)
    {
        var name = section is IConfigurationSection { Path: var path } ? $"the section '{path}'" : "the configuration";
        foreach (var child in section.GetChildren())
        {
            if (!keys.TryGetValue(child.Key, out var key))
            {
                if (isBoundElsewhere(child.Path))
                {
                    continue;
                }

                yield return $"The key '{child.Key}' in {name} is not a setting. {Advice(child.Key)}";
                continue;
            }

            if (key.ShapeProblem(child) is { } shapeProblem)
            {
                yield return $"The key '{child.Key}' in {name} {shapeProblem}";
                continue;
            }

            foreach (var problem in NestedProblems(key, child, isBoundElsewhere))
            {
                yield return problem;
            }
        }
    }

    private static IEnumerable<string> NestedProblems(OptionsKey key, IConfigurationSection child, Func<string, bool> isBoundElsewhere)
    {
        if (key.Section is { } section)
        {
            return section.Problems(child, isBoundElsewhere);
        }

        if (key.NamedSections is { } named)
        {
            return child.GetChildren().SelectMany(namedSection => named.Problems(namedSection, isBoundElsewhere));
        }

        return [];
    }

    private string Advice(string key)
    {
        string[] near = [.. NearNames.Of(key, keys.Keys.Concat(sectionNames)).Select(each => $"'{each}'")];
        return near.Length > 0
            ? $"Did you mean {string.Join(" or ", near)}?"
            : $"The settings of this section are: {string.Join(", ", keys.Keys)}.";
    }
}
