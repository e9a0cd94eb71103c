using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>
/// Registers the parts of a bus. Used inside <c>AddEventBus</c>. Repeated calls add to the registration. Configuration
/// errors are collected and reported together when the bus starts.
/// </summary>
public sealed partial class EventBusBuilder
{
    private readonly BusRegistration registration;

    internal EventBusBuilder(BusRegistration registration) => this.registration = registration;

    /// <summary>The service collection in which the bus is registered.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public IServiceCollection Services => registration.Services;

    /// <summary>The key of a bus added by <c>AddKeyedEventBus</c>; null for the default bus.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public string? Key => registration.Key;

    /// <summary>
    /// Adds middleware that runs around every handler call. Middleware runs in the order of registration.
    /// </summary>
    /// <param name="middleware">Called with the delivery, the rest of the pipeline and the cancellation token.</param>
    public EventBusBuilder Use(Func<EventContext, EventDelegate, CancellationToken, Task> middleware)
    {
        ArgumentNullException.ThrowIfNull(middleware);
        registration.Middleware.Add(_ => middleware);
        return this;
    }

    /// <summary>
    /// Adds middleware that runs around every handler call. Middleware runs in the order of registration. It is
    /// registered as a singleton, unless the application has registered it already.
    /// </summary>
    /// <typeparam name="TMiddleware">The middleware type.</typeparam>
    public EventBusBuilder Use<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, IEventMiddleware
    {
        Services.TryAddSingleton<TMiddleware>();
        registration.ResolvedTypes.Add(new ResolvedType(typeof(TMiddleware), $"The middleware {typeof(TMiddleware)}"));
        registration.Middleware.Add(static services => services.GetRequiredService<TMiddleware>().InvokeAsync);
        return this;
    }

    /// <summary>Changes the settings of this bus.</summary>
    /// <param name="configure">Changes the options. Runs when the bus is created, in the order of the calls.</param>
    public EventBusBuilder Configure(Action<EventBusOptions> configure)
    {
        Services.Configure(registration.OptionsName, configure);
        return this;
    }

    /// <summary>
    /// Binds the settings of this bus from configuration, for instance <c>configuration.GetSection("EventBus")</c>. A
    /// key that is not a setting is an error when the bus starts.
    /// </summary>
    /// <remarks>
    /// The section may contain the sections of backends and stores, for instance <c>EventBus:Redis</c>: those that are
    /// bound to options, and <c>InMemory</c>, <c>RabbitMq</c>, <c>Redis</c>, <c>RedisPubSub</c> and <c>Sqlite</c>.
    /// </remarks>
    /// <param name="section">The configuration section.</param>
    public EventBusBuilder Configure(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        var bound = EventBusSection.Create(section);
        registration.Sections.Add(bound);
        Services.AddSingleton(bound.BoundPath);
        return Configure(bound.Bind);
    }
}
