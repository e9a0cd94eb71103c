using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Finds sections that are bound to options and do not exist, where the configuration has a section of nearly the same
/// name. A section that does not exist otherwise means the defaults.
/// </summary>
internal static class MissingSections
{
    /// <summary>Finds the mistakes.</summary>
    /// <param name="services">The services of the application, which contain the bound paths.</param>
    /// <param name="configuration">The configuration of the application; null if it has none.</param>
    public static IEnumerable<string> Problems(IServiceCollection services, IConfiguration? configuration)
    {
        if (configuration is null)
        {
            return [];
        }

        var isBound = BoundPath.TestFor(services);
        return BoundPath.AllOf(services)
            .Where(bound => bound.Section is { } section && !section.Exists())
            .Select(bound => Problem(bound, configuration, isBound))
            .OfType<string>();
    }

    private static string? Problem(BoundPath bound, IConfiguration configuration, Func<string, bool> isBound)
    {
        var parts = bound.Path.Split(ConfigurationPath.KeyDelimiter);
        var parent = configuration;
        for (var i = 0; i < parts.Length; i++)
        {
            var section = parent.GetSection(parts[i]);
            if (!section.Exists())
            {
                var rest = string.Join(ConfigurationPath.KeyDelimiter, parts.Skip(i + 1));
                return Near(section, parent, rest, bound.Keys, isBound) is { } near
                    ? $"The section '{bound.Path}' does not exist, so that the defaults would apply; the configuration has a section "
                        + $"'{near.Path}'. Correct one of the two names."
                    : null;
            }

            parent = section;
        }

        return null;
    }

    /// <summary>Finds the section of nearly the same name next to a missing one.</summary>
    /// <param name="missing">The section that does not exist.</param>
    /// <param name="parent">The section that would contain it.</param>
    /// <param name="rest">The path from the missing section to the bound one; empty if it is the bound one.</param>
    /// <param name="keys">The keys of the bound section; null if they are not known.</param>
    /// <param name="isBound">Returns true for a path that is bound to options.</param>
    private static IConfigurationSection? Near(
        IConfigurationSection missing,
        IConfiguration parent,
        string rest,
        OptionsKeys? keys,
        Func<string, bool> isBound)
    {
        // A value of its own, such as an environment variable, is no section.
        var others = parent.GetChildren().Where(other => other.GetChildren().Any() && !isBound(other.Path)).ToList();
        return NearNames.Of(missing.Key, others.Select(other => other.Key))
            .Select(name => others.First(other => other.Key == name))
            .FirstOrDefault(other => NearNames.IsOneApart(missing.Key, other.Key) || HasContent(other));

        // Names that differ in more are the same only if the content agrees too: EventHub is not EventBus.
        bool HasContent(IConfigurationSection other)
        {
            var content = rest.Length == 0 ? other : other.GetSection(rest);
            return content.GetChildren().Any(child => keys?.Contains(child.Key) == true);
        }
    }
}
