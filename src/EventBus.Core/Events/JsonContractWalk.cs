using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Visits the types that the JSON of events contains: those of members, items, dictionary values, and derived types.
/// Visits each type once, however many events contain it. A type with a custom converter is left alone.
/// </summary>
internal sealed class JsonContractWalk
{
    // Bounds the time of the start. Types beyond it are not checked.
    private const int MaxTypes = 10_000;

    private readonly HashSet<(Type, JsonSerializerOptions)> visited = [];
    private readonly Queue<(Type Type, string Path)> waiting = [];

    /// <summary>
    /// Returns what was found about an event type and the types within it, except those that were visited before.
    /// </summary>
    public IEnumerable<JsonContract> Walk(JsonTypeInfo root)
    {
        Add(root.Type, "", root.Options);
        while (waiting.TryDequeue(out var next))
        {
            if (next.Type == root.Type)
            {
                yield return Visit(root, next.Path);
            }
            else if (EventJson.Find(root.Options, next.Type, out var problem) is { } info)
            {
                yield return Visit(info, next.Path);
            }
            else if (problem is not null)
            {
                yield return new JsonContract(next.Type, next.Path, problem, []) { IsInvalid = true };
            }
        }
    }

    private JsonContract Visit(JsonTypeInfo info, string path)
    {
        var unreadable = JsonReadCheck.Problem(info);
        if (unreadable is not null || info.Kind == JsonTypeInfoKind.None || info.Type == typeof(object))
        {
            return new JsonContract(info.Type, path, unreadable, [])
            {
                // The only problem of a type without members and items is that its values cannot be JSON at all.
                IsInvalid = unreadable is not null && info.Kind == JsonTypeInfoKind.None
            };
        }

        foreach (var derived in info.PolymorphismOptions?.DerivedTypes ?? [])
        {
            Add(derived.DerivedType, path, info.Options);
        }

        if (info.ElementType is { } element)
        {
            Add(element, path, info.Options);
        }

        foreach (var property in info.Properties)
        {
            // A custom converter may write and read the value in any form.
            if (property.CustomConverter is null && !property.IsExtensionData && JsonMembers.IsUsed(property) && IsChecked(property, info))
            {
                var name = JsonMembers.NameOf(property);
                Add(property.PropertyType, path.Length == 0 ? name : $"{path}.{name}", info.Options);
            }
        }

        return new JsonContract(info.Type, path, null, JsonMembers.DescribeLost(info));
    }

    /// <summary>
    /// Returns false for a member that is only written, such as a property that is computed from others: whether its
    /// type can be read does not matter. A type that cannot even be written is checked nevertheless, unless the member
    /// may be null: that is a warning of the type that declares it.
    /// </summary>
    private static bool IsChecked(JsonPropertyInfo property, JsonTypeInfo info) =>
        !JsonMembers.IsOnlyNull(property, info)
        && (JsonMembers.IsRead(property, info)
            || EventJson.Find(info.Options, property.PropertyType, out _) is not { } type
            || JsonReadCheck.IsRefused(type));

    private void Add(Type type, string path, JsonSerializerOptions options)
    {
        // The JSON of a nullable value is that of the value.
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (visited.Count < MaxTypes && visited.Add((type, options)))
        {
            waiting.Enqueue((type, path));
        }
    }
}
