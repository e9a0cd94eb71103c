using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Names a configuration section that is bound to options of a bus of the application.</summary>
/// <param name="Path">The path of the section; empty for the whole configuration.</param>
internal sealed record BoundPath(string Path)
{
    /// <summary>Creates a test whether a path is bound to options, or is a parent of a path that is bound.</summary>
    /// <param name="services">The services of the application, which contain the bound paths.</param>
    public static Func<string, bool> TestFor(IServiceCollection services)
    {
        BoundPath[] bound = [.. services.Where(service => service.ServiceType == typeof(BoundPath))
            .Select(service => (BoundPath)service.ImplementationInstance!)];
        return path => Array.Exists(bound, own => $"{own.Path}:".StartsWith($"{path}:", StringComparison.OrdinalIgnoreCase));
    }
}
