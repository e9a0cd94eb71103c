using System.Collections;
using Microsoft.Extensions.Configuration;

namespace EventBus;

/// <summary>Describes a key of a configuration section that is bound to options.</summary>
/// <param name="Type">The type of the property.</param>
internal sealed record OptionsKey(Type Type)
{
    /// <summary>The keys below this one, if it is a section with options of its own.</summary>
    public OptionsKeys? Section { get; init; }

    /// <summary>The keys of each named section below this one, if it holds such sections.</summary>
    public OptionsKeys? NamedSections { get; init; }

    private bool IsSingleValue =>
        Section is null && NamedSections is null && (Type == typeof(string) || !typeof(IEnumerable).IsAssignableFrom(Type));

    /// <summary>
    /// Describes a section that holds one value instead of several, or several instead of one. Null if neither is the
    /// case.
    /// </summary>
    public string? ShapeProblem(IConfigurationSection section)
    {
        var hasChildren = section.GetChildren().Any();
        if (IsSingleValue)
        {
            return hasChildren ? "holds a section or a list; one value is expected." : null;
        }

        if (hasChildren || string.IsNullOrEmpty(section.Value))
        {
            return null;
        }

        var expected = Section is null && NamedSections is null ? "list" : "section";
        return $"holds one value; a {expected} is expected.";
    }
}
