using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Finds the constructors with which the container creates services of the application.</summary>
internal sealed class ServiceConstructors(IServiceCollection services, IServiceProvider provider)
{
    private readonly IServiceProviderIsService? known = provider.GetService<IServiceProviderIsService>();
    private readonly IServiceProviderIsKeyedService? knownByKey = provider.GetService<IServiceProviderIsKeyedService>();

    /// <summary>Returns the key of the service that a parameter gets; null for a service without a key.</summary>
    public static object? KeyOf(ParameterInfo parameter) => parameter.GetCustomAttribute<FromKeyedServicesAttribute>()?.Key;

    /// <summary>
    /// Returns the parameters of the constructor with which the container creates a service. Null if that is not
    /// certain: the application registered a factory or an instance, or the container cannot tell what it can create.
    /// </summary>
    public ParameterInfo[]? ParametersOf(Type serviceType)
    {
        var service = services.LastOrDefault(service => service.ServiceType == serviceType && !service.IsKeyedService);
        if (service?.ImplementationType is not { } implementation)
        {
            return null;
        }

        var constructors = implementation.GetConstructors();
        if (constructors.Length == 1)
        {
            return constructors[0].GetParameters();
        }

        return known is null
            ? null
            : constructors
                .Select(constructor => constructor.GetParameters())
                .OrderByDescending(parameters => parameters.Length)
                .FirstOrDefault(parameters => Array.TrueForAll(parameters, CanCreate));
    }

    private bool CanCreate(ParameterInfo parameter) =>
        parameter.HasDefaultValue
            || (KeyOf(parameter) is { } key
                ? knownByKey?.IsKeyedService(parameter.ParameterType, key)
                : known?.IsService(parameter.ParameterType)) == true;
}
