using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>
/// Finds handlers, guards, middleware and alerts that the container certainly cannot create, which would otherwise be
/// seen at the first event. Asks the container, and creates nothing.
/// </summary>
/// <remarks>
/// Only the default container is asked: another one may have registrations that the service collection does not
/// contain. Sagas are not checked here, because the start creates each of them to read its steps.
/// </remarks>
internal static class DependencyCheck
{
    // The namespace of the default container, whose types are internal.
    private const string DefaultContainer = "Microsoft.Extensions.DependencyInjection";

    /// <summary>Finds the problems.</summary>
    /// <param name="registration">The registration of the bus.</param>
    /// <param name="consumes">True if this instance handles events; false if it only publishes.</param>
    /// <param name="provider">The services of the application.</param>
    public static IEnumerable<string> Problems(BusRegistration registration, bool consumes, IServiceProvider provider)
    {
        if (provider.GetService<IServiceProviderIsService>() is not { } known
            || known.GetType().Namespace?.StartsWith(DefaultContainer, StringComparison.Ordinal) != true)
        {
            return [];
        }

        var handlesEvents = consumes && registration.Subscriptions.Count > 0;
        var graph = new ServiceGraph(registration.Services, known, provider.GetService<IServiceProviderIsKeyedService>());
        return registration.ResolvedTypes
            .Where(resolved => handlesEvents || !resolved.IsOfEvents)
            .SelectMany(resolved => graph.Check(resolved.Type).Select(problem => Describe(resolved, problem, registration.Services)))
            .Distinct(StringComparer.Ordinal);
    }

    private static string Describe(ResolvedType resolved, DependencyProblem problem, IServiceCollection services)
    {
        // The problem of a service that the type itself needs, directly or through others, names that service.
        var isOwn = problem.Owner == services.LastOrDefault(each => !each.IsKeyedService && each.ServiceType == resolved.Type)
            ?.ImplementationType;
        var needs = isOwn ? "it needs" : $"{problem.Owner}, which it uses, needs";
        switch (problem.Kind)
        {
            case DependencyProblemKind.NoConstructor:
                return $"{resolved.Title} cannot be created, because {(isOwn ? "it" : $"{problem.Owner}, which it uses,")} has no public "
                    + "constructor. Make one public, or register the type with a factory.";

            case DependencyProblemKind.ScopedInSingleton:
                return $"{resolved.Title} cannot be used: {needs} {problem.Dependency}, which is scoped, and "
                    + $"{(isOwn ? "is itself" : "belongs to")} a singleton, so that all events would share one instance of it. "
                    + $"{(resolved.IsOfEvents ? "Register it as scoped, or take" : "Take")} an IServiceScopeFactory instead, and resolve "
                    + $"{DependencyAdvice.NameOf(problem.Dependency)} from a scope of its own.";

            default:
                var under = problem.Key is null ? "" : $" under the key '{problem.Key}'";
                return $"{resolved.Title} cannot be created, because {needs} {problem.Dependency}, which is not registered{under}. "
                    + DependencyAdvice.ForMissing(problem, services);
        }
    }
}
