using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>Says which call provides a service that is missing.</summary>
internal static class DependencyAdvice
{
    /// <summary>Returns the advice as one sentence.</summary>
    /// <param name="problem">The missing service.</param>
    /// <param name="descriptors">The registered services of the application.</param>
    public static string ForMissing(DependencyProblem problem, IEnumerable<ServiceDescriptor> descriptors)
    {
        var name = NameOf(problem.Dependency);
        if (problem.Key is not null)
        {
            return $"Register it: services.AddKeyedScoped<{Registered(problem.Dependency)}>({TextOf(problem.Key)}).";
        }

        if (problem.Dependency == typeof(ILogger))
        {
            return $"Take an ILogger<{NameOf(problem.Owner)}> instead.";
        }

        if (problem.Dependency == typeof(HttpClient))
        {
            return $"Call services.AddHttpClient<{NameOf(problem.Owner)}>().";
        }

        if (KeyOf(problem.Dependency, descriptors) is { } key)
        {
            return $"It is registered under a key: take [FromKeyedServices({key})] {name}, or register it without a key.";
        }

        return descriptors.Any(descriptor => IsConfigured(descriptor.ServiceType, problem.Dependency))
            ? $"Its values are registered as options: take an IOptions<{name}> instead."
            : $"Register it, for instance: services.AddScoped<{Registered(problem.Dependency)}>().";
    }

    /// <summary>Returns the name of a type as in C# code, without its namespace.</summary>
    public static string NameOf(Type type)
    {
        if (type.IsArray)
        {
            return $"{NameOf(type.GetElementType()!)}[]";
        }

        var end = type.Name.IndexOf('`', StringComparison.Ordinal);
        return end < 0 ? type.Name : $"{type.Name[..end]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>";
    }

    /// <summary>Returns the type arguments of a registration.</summary>
    private static string Registered(Type type) => type.IsAbstract ? $"{NameOf(type)}, ..." : NameOf(type);

    /// <summary>Returns the first text key under which a service is registered, quoted; null for none.</summary>
    private static string? KeyOf(Type type, IEnumerable<ServiceDescriptor> descriptors) => descriptors
        .Where(descriptor => descriptor.IsKeyedService && descriptor.ServiceType == type)
        .Select(descriptor => descriptor.ServiceKey)
        .OfType<string>()
        .Select(key => $"\"{key}\"")
        .FirstOrDefault();

    private static bool IsConfigured(Type service, Type options) => service.IsConstructedGenericType
        && service.GetGenericTypeDefinition() == typeof(IConfigureOptions<>)
        && service.GetGenericArguments()[0] == options;

    private static string TextOf(object key) => key is string text ? $"\"{text}\"" : $"{key}";
}
