using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Names a configuration section that is bound to options of a bus of the application.</summary>
/// <param name="Path">The path of the section; empty for the whole configuration.</param>
internal sealed record BoundPath(string Path)
{
    /// <summary>The section itself; null for the whole configuration.</summary>
    public IConfigurationSection? Section { get; init; }

    /// <summary>The keys that the section may have; null if they are not known.</summary>
    public OptionsKeys? Keys { get; init; }

    /// <summary>Returns all sections that are bound to options.</summary>
    /// <param name="services">The services of the application, which contain the bound paths.</param>
    public static IReadOnlyList<BoundPath> AllOf(IServiceCollection services) => [
        .. services.Where(service => service.ServiceType == typeof(BoundPath))
            .Select(service => (BoundPath)service.ImplementationInstance!)
    ];

    /// <summary>Creates a test whether a path is bound to options, or is a parent of a path that is bound.</summary>
    /// <param name="services">The services of the application, which contain the bound paths.</param>
    public static Func<string, bool> TestFor(IServiceCollection services)
    {
        var bound = AllOf(services);
        return path => bound.Any(own => $"{own.Path}:".StartsWith($"{path}:", StringComparison.OrdinalIgnoreCase));
    }
}
