using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace EventBus;

/// <summary>Adds event buses to an application.</summary>
public static class EventBusServiceCollectionExtensions
{
    /// <summary>
    /// Adds the default bus, or extends it: repeated calls add to the same bus, so that modules can register their own
    /// handlers.
    /// </summary>
    /// <remarks>
    /// Resolve <see cref="IEventBus"/>, <see cref="IDeadLetters"/>, <see cref="DelayedEvents"/>,
    /// <see cref="ISubscriptionManager"/>, <see cref="ISagas"/> and <see cref="SagaManager"/>. The bus starts and stops
    /// with the host. Its health check is named <c>eventbus</c>.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="configure">Registers a backend, handlers and settings.</param>
    public static IServiceCollection AddEventBus(this IServiceCollection services, Action<EventBusBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        return Add(services, null, configure);
    }

    /// <summary>
    /// Adds a further bus under a key, or extends it: repeated calls with the same key add to the same bus. Resolve it
    /// with <c>[FromKeyedServices("billing")] IEventBus</c>.
    /// </summary>
    /// <remarks>
    /// Backends and stores treat a keyed bus like a separate application. Its name consists of the service name of the
    /// application and the key (<c>shop+billing</c>). It shares streams and exchanges with the other buses of the
    /// application, but not subscriptions, retries, dead letters, delayed events, handled events or sagas.
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="key">
    /// The key. It is also the name of the options of the bus. The health check has the name <c>eventbus-</c> and the
    /// key (<c>eventbus-billing</c>), and metrics and traces have the key in the tag <c>eventbus.bus</c>. Two keys that
    /// differ only in case are an error when the bus starts.
    /// </param>
    /// <param name="configure">Registers a backend, handlers and settings.</param>
    public static IServiceCollection AddKeyedEventBus(this IServiceCollection services, string key, Action<EventBusBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        return Add(services, key, configure);
    }

    /// <summary>Gets the bus with a key; null for the default bus.</summary>
    internal static BusHost HostOf(IServiceProvider provider, string? key) => provider.GetRequiredKeyedService<BusHost>(new HostKey(key));

    private static IServiceCollection Add(IServiceCollection services, string? key, Action<EventBusBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var registration = services.Where(service => service.ServiceType == typeof(BusRegistration))
            .Select(RegistrationOf)
            .FirstOrDefault(registration => registration.Key == key);
        if (registration is null)
        {
            registration = new BusRegistration(services, key);
            Register(services, registration);
        }

        configure(new EventBusBuilder(registration));
        return services;
    }

    private static BusRegistration RegistrationOf(ServiceDescriptor service) => (BusRegistration)service.ImplementationInstance!;

    private static void Register(IServiceCollection services, BusRegistration registration)
    {
        // Each bus has its own BusHost. The default bus has a private key too, so that every bus is resolved in the
        // same way.
        var hostKey = new HostKey(registration.Key);
        services.AddOptions();
        services.AddSingleton(registration);
        services.AddKeyedSingleton(hostKey, (provider, _) => new BusHost(registration, provider));
        services.AddSingleton<IHostedService>(provider => new BusHostedService(HostOf(provider)));

        // Takes effect only if the application calls AddHealthChecks.
        services.Configure<HealthCheckServiceOptions>(options => options.Registrations.Add(new HealthCheckRegistration(
            registration.Key is null ? "eventbus" : $"eventbus-{registration.Key}",
            provider => new BusHealthCheck(HostOf(provider)),
            failureStatus: null,
            tags: ["ready"])));
        AddService<IEventBus>(host => host.Client);
        AddService<IDeadLetters>(host => host.DeadLetters);
        AddService<DelayedEvents>(host => host.DelayedEvents);
        AddService<ISubscriptionManager>(host => new SubscriptionManager(host.Client));
        AddService<ISagas>(host => new SagaClient(host.Sagas));
        AddService<SagaManager>(host => new SagaManagerClient(host.Sagas));

        void AddService<T>(Func<BusHost, T> select)
            where T : class
        {
            if (registration.Key is null)
            {
                services.TryAddSingleton(provider => select(HostOf(provider)));
            }
            else
            {
                services.TryAddKeyedSingleton(registration.Key, (provider, _) => select(HostOf(provider)));
            }
        }

        BusHost HostOf(IServiceProvider provider) => provider.GetRequiredKeyedService<BusHost>(hostKey);
    }

    private sealed record HostKey(string? Key);
}
