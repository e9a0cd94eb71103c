using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Finds out from the JSON type information of a type whether its values can be read.</summary>
internal static class JsonReadCheck
{
    private const string ByConverter = "or give it a converter: bus.UseJson(json => json.Converters.Add(...))";

    /// <summary>
    /// Returns the reason that no value of the type can be read, with the correction; null if it can be, or if that is
    /// not known.
    /// </summary>
    public static string? Problem(JsonTypeInfo info) => info.Kind switch
    {
        JsonTypeInfoKind.Object when info.Type != typeof(object) => ProblemOfObject(info),
        JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary => ProblemOfCollection(info),
        JsonTypeInfoKind.None when IsRefused(info) => $"values of {info.Type} cannot be JSON: remove the member, or [JsonIgnore] it",
        _ => null,
    };

    private static string? ProblemOfObject(JsonTypeInfo info)
    {
        var type = info.Type;
        var namesDerivedTypes = info.PolymorphismOptions?.DerivedTypes.Any(derived => derived.TypeDiscriminator is not null) == true;
        if (info.CreateObject is not null || namesDerivedTypes)
        {
            return null;
        }

        if (type.IsAbstract)
        {
            return $"{type} is {(type.IsInterface ? "an interface" : "an abstract class")}, and the JSON does not say which type to "
                + $"create: use a record, list the types with [JsonDerivedType(typeof(...), \"...\")] on it, {ByConverter}";
        }

        var bound = info.Properties.Select(property => property.AssociatedParameter)
            .Where(parameter => parameter is { IsMemberInitializer: false })
            .Select(parameter => parameter!.Position)
            .ToHashSet();
        var constructor = info.ConstructorAttributeProvider as ConstructorInfo;
        var isInitialized = type.IsValueType || info.Properties.Any(property => property.AssociatedParameter is not null);
        if (constructor is null && !isInitialized)
        {
            return $"{type} has no constructor that can be used: make one public, or mark one of several with [JsonConstructor], "
                + ByConverter;
        }

        var unbound = constructor?.GetParameters().Where(parameter => !bound.Contains(parameter.Position)).ToList() ?? [];
        return unbound.Count == 0
            ? null
            : $"the constructor of {type} has parameters for which there is no public property of the same name and type "
                + $"({MemberNameText.List([.. unbound.Select(parameter => parameter.Name ?? "?")])}): rename them, {ByConverter}";
    }

    private static string? ProblemOfCollection(JsonTypeInfo info)
    {
        if (info.KeyType is { } key
            && EventJson.Find(info.Options, key, out _) is { Kind: not JsonTypeInfoKind.None }
            && key != typeof(object))
        {
            return $"the keys of {info.Type} are objects, and those of JSON are texts: use a text, a number or a list of records, "
                + ByConverter;
        }

        return info.CreateObject is not null || CanReadEmpty(info)
            ? null
            : $"{info.Type} is no collection that can be created: use an array, a List<T>, an IReadOnlyList<T> or a "
                + $"Dictionary<TKey, TValue>, {ByConverter}";
    }

    /// <summary>
    /// Reads an empty collection of a type that has no function to create it: arrays, interfaces and immutable
    /// collections have converters for that. No code of the application runs, because it could not be called.
    /// </summary>
    private static bool CanReadEmpty(JsonTypeInfo info)
    {
        try
        {
            JsonSerializer.Deserialize(info.Kind == JsonTypeInfoKind.Dictionary ? "{}"u8 : "[]"u8, info);
            return true;
        }
        catch (Exception exception)
        {
            return exception is not NotSupportedException;
        }
    }

    /// <summary>
    /// Returns true if no value of the type can be written: for delegates and for descriptions of code, unless the
    /// application has given a converter for them.
    /// </summary>
    public static bool IsRefused(JsonTypeInfo info)
    {
        var isCode = typeof(Delegate).IsAssignableFrom(info.Type)
            || typeof(MemberInfo).IsAssignableFrom(info.Type)
            || info.Type == typeof(nint)
            || info.Type == typeof(nuint);
        return isCode && info.Converter.GetType().Assembly == typeof(JsonSerializer).Assembly;
    }
}
