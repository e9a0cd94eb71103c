using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Finds the JSON type information of event types, with the bus's limits applied.</summary>
internal sealed class EventJson
{
    private readonly List<JsonSerializerOptions> options = [];
    private readonly bool usesReflection;

    public EventJson(IReadOnlyList<JsonSerializerContext> contexts, int maxDepth)
    {
        foreach (var context in contexts)
        {
            options.Add(Limit(new JsonSerializerOptions(context.Options), maxDepth));
        }

        // Reflection is used only where dynamic code is allowed: with native AOT this switch is off, and the type must
        // be in a context.
        usesReflection = contexts.Count == 0 && JsonSerializer.IsReflectionEnabledByDefault;
        if (usesReflection)
        {
            options.Add(Limit(ReflectionOptions(), maxDepth));
        }
    }

    /// <summary>Finds the JSON type information of a type; null if no context and no reflection has it.</summary>
    public JsonTypeInfo? Find(Type type)
    {
        foreach (var candidate in options)
        {
            try
            {
                if (candidate.TryGetTypeInfo(type, out var info))
                {
                    return info;
                }
            }
            catch (InvalidOperationException) when (usesReflection)
            {
                // Reflection cannot describe the type. The result is the same as for a type that no context contains.
            }
        }

        return null;
    }

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
