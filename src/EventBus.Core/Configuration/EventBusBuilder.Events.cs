using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

// Event types (declarations, versions, JSON), and sagas, which publish events of their own.
public sealed partial class EventBusBuilder
{
    /// <summary>
    /// Declares an event type that this application publishes, so that it is checked when the bus starts.
    /// </summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventBusBuilder Publishes<TEvent>()
        where TEvent : notnull
    {
        registration.Event(typeof(TEvent));
        return this;
    }

    /// <summary>
    /// Returns a builder for the settings of an event type, which apply wherever the event is published.
    /// </summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventTypeBuilder<TEvent> Event<TEvent>()
        where TEvent : notnull => new(registration.Event(typeof(TEvent)));

    /// <summary>
    /// Registers a saga, which is started through <see cref="ISagas"/>. It is registered as scoped, unless the
    /// application has registered it already. Requires a store that keeps sagas.
    /// </summary>
    /// <param name="name">
    /// The name of the saga, the same in all versions of the application: lower-case letters, digits and hyphens, at
    /// most 100 characters, no hyphen at the start or the end. Default: the name of the type in kebab case, for
    /// instance <c>book-trip</c> for <c>BookTrip</c>.
    /// </param>
    /// <typeparam name="TSaga">The saga type.</typeparam>
    /// <typeparam name="TState">The type of the saga's state.</typeparam>
    public EventBusBuilder AddSaga<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors)] TSaga, TState>(string? name = null)
        where TSaga : Saga<TState>
        where TState : notnull
    {
        Services.TryAddScoped<TSaga>();
        registration.Sagas.Add(new SagaRegistration<TSaga, TState>(name ?? EventNameRules.Kebab(typeof(TSaga))));
        return Publishes<SagaStepCompleted>().Publishes<SagaCompleted>().Publishes<SagaFailed>();
    }

    /// <summary>
    /// Converts an old version of an event into a newer one, so that handlers of the newer version receive it.
    /// </summary>
    /// <param name="upcast">Creates the newer event from the old one. Called from many threads concurrently.</param>
    /// <typeparam name="TOld">The old version: the same event name, a lower version.</typeparam>
    /// <typeparam name="TNew">The newer version.</typeparam>
    public EventBusBuilder Upcast<TOld, TNew>(Func<TOld, TNew> upcast)
        where TOld : notnull
        where TNew : notnull
    {
        ArgumentNullException.ThrowIfNull(upcast);
        registration.Event(typeof(TOld));
        registration.Event(typeof(TNew));
        registration.Upcasts.Add(new UpcastRegistration(typeof(TOld), typeof(TNew), old => upcast((TOld)old)));
        return this;
    }

    /// <summary>
    /// Uses source-generated JSON type information. Several contexts can be added. Each context keeps its own options,
    /// except two that the bus sets: the maximum depth, and that a property may not occur twice.
    /// </summary>
    /// <param name="context">The context, for instance <c>AppJson.Default</c>.</param>
    public EventBusBuilder UseJson(JsonSerializerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        registration.JsonContexts.Add(context);
        return this;
    }

    /// <summary>
    /// Changes the JSON options of events and of the states of sagas: converters, metadata in any order, fields. No
    /// source-generated context is needed. The defaults are those of
    /// <see cref="JsonSerializerDefaults.Web"/>.
    /// </summary>
    /// <remarks>
    /// If contexts are used as well, the options of each are changed. The limits of the bus are set afterwards:
    /// <see cref="JsonSerializerOptions.MaxDepth"/> and <see cref="JsonSerializerOptions.AllowDuplicateProperties"/>.
    /// An exception is an error when the bus starts. All services that exchange events need settings that fit.
    /// </remarks>
    /// <param name="configure">
    /// Changes the options. Runs when the bus starts, in the order of the calls, once for the options without a context
    /// or for those of each context.
    /// </param>
    public EventBusBuilder UseJson(Action<JsonSerializerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        registration.JsonSettings.Add(configure);
        return this;
    }
}
