using System.Reflection;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Finds the JSON type information of event types, with the bus's limits applied.</summary>
internal sealed class EventJson
{
    private readonly List<JsonSerializerOptions> options = [];

    /// <summary>Creates the JSON options of a bus.</summary>
    /// <param name="contexts">The source-generated contexts.</param>
    /// <param name="maxDepth">The maximum depth of an event.</param>
    /// <param name="settings">The application's changes of the options. They may throw.</param>
    public EventJson(
        IReadOnlyList<JsonSerializerContext> contexts,
        int maxDepth,
        IReadOnlyList<Action<JsonSerializerOptions>>? settings = null)
    {
        IEnumerable<JsonSerializerOptions> created = contexts.Count == 0
            ? [WithoutContext()]
            : contexts.Select(context => new JsonSerializerOptions(context.Options));
        foreach (var each in created)
        {
            foreach (var change in settings ?? [])
            {
                change(each);
            }

            // Without a context and without reflection, only the application's changes can give a resolver.
            if (each.TypeInfoResolver is not null)
            {
                options.Add(Limit(each, maxDepth));
            }
        }
    }

    /// <summary>
    /// Makes the options read-only, so that the type information which is found afterwards is complete and checked.
    /// Otherwise this happens when the first event is written or read.
    /// </summary>
    public void Seal()
    {
        foreach (var each in options)
        {
            each.MakeReadOnly();
        }
    }

    /// <summary>Finds the JSON type information of a type; null if no context and no reflection has it.</summary>
    public JsonTypeInfo? Find(Type type) => Find(type, out _);

    /// <summary>Finds the JSON type information of a type; null if no context and no reflection has it.</summary>
    /// <param name="type">The type.</param>
    /// <param name="problem">The reason that the type cannot be described; null if it is not known.</param>
    public JsonTypeInfo? Find(Type type, out string? problem)
    {
        problem = null;
        foreach (var candidate in options)
        {
            if (Find(candidate, type, out var reason) is { } info)
            {
                return info;
            }

            problem ??= reason;
        }

        return null;
    }

    /// <summary>Finds the JSON type information of a type in the given options.</summary>
    /// <param name="options">The options.</param>
    /// <param name="type">The type.</param>
    /// <param name="problem">
    /// The reason that the type has JSON type information that contradicts itself; null if there is none.
    /// </param>
    public static JsonTypeInfo? Find(JsonSerializerOptions options, Type type, out string? problem)
    {
        problem = null;
        try
        {
            return options.TryGetTypeInfo(type, out var info) ? info : null;
        }
        catch (Exception exception)
        {
            // A factory of converters or a modifier of the application may throw any exception.
            problem = ExceptionText.MessageOf(exception is TargetInvocationException { InnerException: { } inner } ? inner : exception);
            return null;
        }
    }

    // Reflection is used only where dynamic code is allowed: with native AOT this switch is off, and the type must be
    // in a context.
    private static JsonSerializerOptions WithoutContext() => JsonSerializer.IsReflectionEnabledByDefault
        ? ReflectionOptions()
        : new JsonSerializerOptions(JsonSerializerDefaults.Web);

    [UnconditionalSuppressMessage(
        "Trimming",
        "IL2026",
        Justification = "Reached only where reflection-based JSON is on; trimmed programs have it off, and the trimmer drops this.")]
    [UnconditionalSuppressMessage(
        "AOT",
        "IL3050",
        Justification = "Reached only where reflection-based JSON is on; native AOT programs have it off, and the compiler drops this.")]
    private static JsonSerializerOptions ReflectionOptions() =>
        new(JsonSerializerDefaults.Web) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    private static JsonSerializerOptions Limit(JsonSerializerOptions options, int maxDepth)
    {
        options.MaxDepth = maxDepth;
        options.AllowDuplicateProperties = false;
        return options;
    }
}
