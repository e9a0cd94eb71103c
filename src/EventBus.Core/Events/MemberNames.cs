using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>The names of the JSON members of an event type and of the types that derive from it.</summary>
/// <param name="Known">The names of the members.</param>
/// <param name="Metadata">
/// The names that the serializer adds, such as $type. They do not show that an object is an event of the type.
/// </param>
internal sealed record MemberNames(IReadOnlyList<string> Known, IReadOnlyList<string> Metadata)
{
    /// <summary>
    /// Collects the names of a type. Returns null if any object may be an event of the type: the type has no members,
    /// accepts members of all names, or has a custom converter.
    /// </summary>
    public static MemberNames? Of(JsonTypeInfo info)
    {
        var names = new List<string>();
        var metadata = new List<string>();
        if (!TryAdd(info, names))
        {
            return null;
        }

        if (info.PolymorphismOptions is { } polymorphism)
        {
            metadata.Add(polymorphism.TypeDiscriminatorPropertyName);
            foreach (var derived in polymorphism.DerivedTypes)
            {
                if (derived.DerivedType != info.Type
                    && !(info.Options.TryGetTypeInfo(derived.DerivedType, out var derivedInfo) && TryAdd(derivedInfo, names)))
                {
                    return null;
                }
            }
        }

        if (info.Options.ReferenceHandler is not null)
        {
            metadata.AddRange(["$id", "$ref", "$values"]);
        }

        return names.Count == 0 ? null : new MemberNames([.. names.Distinct(StringComparer.Ordinal)], metadata);
    }

    /// <summary>
    /// Returns the names of the members that a type and the types that derive from it declare, without those that the
    /// serializer adds. Empty for a type that is written by a custom converter, or as a list or a dictionary.
    /// </summary>
    public static IReadOnlyList<string> Declared(JsonTypeInfo info)
    {
        var names = info.Properties.Where(property => !property.IsExtensionData).Select(property => property.Name);
        var derived = from type in info.PolymorphismOptions?.DerivedTypes ?? []
                      where type.DerivedType != info.Type
                      from name in info.Options.TryGetTypeInfo(type.DerivedType, out var other) ? Declared(other) : []
                      select name;
        return [.. names.Concat(derived).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Adds the member names of a type. Returns false if any object may be an event of the type.</summary>
    private static bool TryAdd(JsonTypeInfo info, List<string> names)
    {
        if (info.Kind != JsonTypeInfoKind.Object || info.Properties.Any(property => property.IsExtensionData))
        {
            return false;
        }

        // An ignored property is neither written nor read.
        names.AddRange(info.Properties.Where(property => property.Get is not null
            || property.Set is not null
            || property.AssociatedParameter is not null).Select(property => property.Name));
        return true;
    }
}
