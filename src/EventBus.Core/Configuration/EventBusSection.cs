using System.Collections.Immutable;
using Microsoft.Extensions.Configuration;

namespace EventBus;

/// <summary>Binds configuration sections to <see cref="EventBusOptions"/>, and finds the mistakes in them.</summary>
internal static class EventBusSection
{
    // The names that the packages of this library document for their sections.
    private static readonly ImmutableArray<string> Backends = ["InMemory", "Kafka", "RabbitMq", "Redis", "RedisPubSub", "Sqlite"];

    public static BoundSection<EventBusOptions> Create(IConfiguration section)
    {
        var keys = OptionsKeys.Of<EventBusOptions>()
            .WithSection(nameof(EventBusOptions.Retry), OptionsKeys.Of<RetryOptions>())
            .WithSection(nameof(EventBusOptions.Sagas), OptionsKeys.Of<SagaOptions>())
            .WithNamedSections(nameof(EventBusOptions.Subscriptions), OptionsKeys.Of<SubscriptionOptions>()
                .WithSection(nameof(SubscriptionOptions.Retry), OptionsKeys.Of<RetryOptions>()))
            .WithSections(Backends);
        return new BoundSection<EventBusOptions>(section, keys, Bind);
    }

    /// <summary>Finds the mistakes in the sections that are bound to the options of a bus.</summary>
    public static IEnumerable<string> Problems(BusRegistration registration)
    {
        var isBound = BoundPath.TestFor(registration.Services);
        return registration.Sections.SelectMany(
            section => section.Problems(path => isBound(path) || IsBackendSection(section.BoundPath, path)));
    }

    /// <summary>
    /// Returns true if a path is the section of a backend or a store inside the section of the bus. Such a section is
    /// allowed although it is not bound: an application may use another backend in some environments.
    /// </summary>
    private static bool IsBackendSection(BoundPath bus, string path) =>
        string.Equals(ConfigurationPath.GetParentPath(path) ?? "", bus.Path, StringComparison.OrdinalIgnoreCase)
        && Backends.Contains(ConfigurationPath.GetSectionKey(path), StringComparer.OrdinalIgnoreCase);

    private static void Bind(IConfiguration section, EventBusOptions options)
    {
        // The binder appends to a list. If the section has delays, they replace the delays that were set in code.
        ClearReplacedDelays(section, options.Retry);
        foreach (var (name, subscription) in options.Subscriptions)
        {
            ClearReplacedDelays(section.GetSection(ConfigurationPath.Combine(nameof(options.Subscriptions), name)), subscription.Retry);
        }

        section.Bind(options);
    }

    private static void ClearReplacedDelays(IConfiguration section, RetryOptions? retry)
    {
        if (retry is null)
        {
            return;
        }

        var delays = section.GetSection(ConfigurationPath.Combine(nameof(EventBusOptions.Retry), nameof(retry.Delays)));
        if (delays.GetChildren().Any())
        {
            retry.Delays = null;
        }
    }
}
