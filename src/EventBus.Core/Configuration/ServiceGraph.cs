using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Follows the constructors of registered types, and finds what the container certainly cannot create. Everything that
/// a factory or an instance provides is left alone, as is everything about which the container cannot tell.
/// </summary>
/// <param name="descriptors">The registered services of the application.</param>
/// <param name="known">Tells whether a service is registered.</param>
/// <param name="knownByKey">Tells whether a service is registered under a key; null if nothing can tell.</param>
internal sealed class ServiceGraph(
    IEnumerable<ServiceDescriptor> descriptors,
    IServiceProviderIsService known,
    IServiceProviderIsKeyedService? knownByKey)
{
    // Limits the work at the start. Types beyond it are left alone.
    private const int MaxTypes = 1_000;

    // The last registration of a service is the one that is resolved.
    private readonly Dictionary<Type, ServiceDescriptor> byType = descriptors.Where(descriptor => !descriptor.IsKeyedService)
        .GroupBy(descriptor => descriptor.ServiceType)
        .ToDictionary(group => group.Key, group => group.Last());

    // The services that are registered for any key. For an open generic type, the container does not say so.
    private readonly HashSet<Type> anyKey =
    [
        .. descriptors.Where(descriptor => descriptor.IsKeyedService && Equals(descriptor.ServiceKey, KeyedService.AnyKey))
            .Select(descriptor => descriptor.ServiceType),
    ];

    /// <summary>Finds the problems of a service and of all services that it needs; each once.</summary>
    public IReadOnlyList<DependencyProblem> Check(Type service)
    {
        var problems = new List<DependencyProblem>();
        if (!byType.TryGetValue(service, out var root))
        {
            return problems;
        }

        var seen = new HashSet<ServiceDescriptor>();
        var pending = new Queue<ServiceDescriptor>([root]);
        while (pending.TryDequeue(out var next) && seen.Count < MaxTypes)
        {
            if (seen.Add(next))
            {
                Follow(next, isSingleton: next == root && root.Lifetime == ServiceLifetime.Singleton, problems, pending);
            }
        }

        return [.. problems.Distinct()];
    }

    private void Follow(
        ServiceDescriptor descriptor,
        bool isSingleton,
        List<DependencyProblem> problems,
        Queue<ServiceDescriptor> pending)
    {
        if (descriptor.ImplementationType is not { IsGenericTypeDefinition: false } type)
        {
            return;
        }

        // The container uses the constructor with the most parameters of which it has all.
        ParameterInfo[][] constructors = [
            .. type.GetConstructors().Select(constructor => constructor.GetParameters()).OrderByDescending(each => each.Length)
        ];
        var usable = Array.Find(constructors, parameters => Array.TrueForAll(parameters, IsAvailable));
        if (usable is null)
        {
            problems.AddRange(constructors.Length == 0
                ? [new DependencyProblem(DependencyProblemKind.NoConstructor, type, type)]
                : MissingOf(type, constructors));
            return;
        }

        foreach (var parameter in usable)
        {
            if (Find(parameter) is not { } dependency)
            {
                continue;
            }

            // Only the application's own type is reported. Whether another one should be a singleton is for its author
            // to decide, and the container creates it unless it validates scopes.
            if (isSingleton && dependency.Lifetime == ServiceLifetime.Scoped)
            {
                problems.Add(new DependencyProblem(DependencyProblemKind.ScopedInSingleton, type, parameter.ParameterType));
            }
            else
            {
                pending.Enqueue(dependency);
            }
        }
    }

    /// <summary>Returns what is missing for the constructor that needs the fewest further registrations.</summary>
    private IEnumerable<DependencyProblem> MissingOf(Type type, IEnumerable<ParameterInfo[]> constructors) => constructors
        .Select(parameters => parameters.Where(parameter => !IsAvailable(parameter)).ToList())
        .MinBy(missing => missing.Count)!
        .Select(parameter => new DependencyProblem(
            DependencyProblemKind.Missing,
            type,
            parameter.ParameterType,
            parameter.GetCustomAttribute<FromKeyedServicesAttribute>()?.Key));

    private bool IsAvailable(ParameterInfo parameter)
    {
        if (parameter.HasDefaultValue || parameter.IsDefined(typeof(ServiceKeyAttribute)))
        {
            return true;
        }

        if (parameter.GetCustomAttribute<FromKeyedServicesAttribute>() is not { } keyed)
        {
            return known.IsService(parameter.ParameterType);
        }

        // Without a key of its own, the parameter gets the key of its owner.
        return keyed.Key is null
            || knownByKey is null
            || knownByKey.IsKeyedService(parameter.ParameterType, keyed.Key)
            || (parameter.ParameterType.IsConstructedGenericType && anyKey.Contains(parameter.ParameterType.GetGenericTypeDefinition()));
    }

    /// <summary>Finds the registration that a parameter gets; null if there is none, or if it has a key.</summary>
    private ServiceDescriptor? Find(ParameterInfo parameter)
    {
        var type = parameter.ParameterType;
        if (parameter.IsDefined(typeof(FromKeyedServicesAttribute)) || parameter.IsDefined(typeof(ServiceKeyAttribute)))
        {
            return null;
        }

        return byType.GetValueOrDefault(type)
            ?? (type.IsConstructedGenericType ? byType.GetValueOrDefault(type.GetGenericTypeDefinition()) : null);
    }
}
