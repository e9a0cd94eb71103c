using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Finds the members of a type whose data are lost when a value is written as JSON and read back. Says only what the
/// JSON type information and the members certainly show: a property that is computed from others loses nothing.
/// </summary>
internal static class JsonMembers
{
    private const string NotRead =
        "written but not read, because nothing can set it: give it a set or init accessor, or a constructor parameter of its name and type";

    private const string NotWritten = "read but not written, because its get accessor is not public: make it public";

    private const string OnlyNull =
        "of a type whose values cannot be JSON, so that publishing any value but null fails: remove it, or [JsonIgnore] it";

    private const string Field = "a public field, which is not part of the JSON: make it a property, or add [JsonInclude]";

    private const string TupleItem = "an item of a tuple, which is not part of the JSON: use a record instead of the tuple";

    /// <summary>Returns true if the member is written or read: it is not ignored.</summary>
    /// <remarks>An ignored property still has the parameter of the constructor that would fill it.</remarks>
    public static bool IsUsed(JsonPropertyInfo property) => property.Get is not null || property.Set is not null;

    /// <summary>Returns true if a value of the member is read: something sets, receives or fills it.</summary>
    public static bool IsRead(JsonPropertyInfo property, JsonTypeInfo info) =>
        property.Set is not null || property.AssociatedParameter is not null || Populates(property, info);

    /// <summary>
    /// Returns true if null is the only value of the member that can be written and read: a delegate or a description
    /// of code that is declared as nullable. The serializer writes and reads null without asking for the type.
    /// </summary>
    public static bool IsOnlyNull(JsonPropertyInfo property, JsonTypeInfo info) =>
        property is { CustomConverter: null, IsExtensionData: false, IsGetNullable: true }
        && EventJson.Find(info.Options, Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, out _) is { } type
        && JsonReadCheck.IsRefused(type);

    /// <summary>Returns the name of a member in the code; that in the JSON if it has no member there.</summary>
    public static string NameOf(JsonPropertyInfo property) => (property.AttributeProvider as MemberInfo)?.Name ?? property.Name;

    /// <summary>
    /// Returns the members whose data are lost, in groups by the reason, each with the correction.
    /// </summary>
    public static IReadOnlyList<string> DescribeLost(JsonTypeInfo info)
    {
        if (info.Kind != JsonTypeInfoKind.Object)
        {
            return [];
        }

        var ofProperties = from property in info.Properties
                           let reason = ReasonOf(property, info)
                           where reason is not null
                           select (Name: NameOf(property), Reason: reason);
        var fieldReason = typeof(ITuple).IsAssignableFrom(info.Type) ? TupleItem : Field;
        var ofFields = FieldsLeftOut(info).Select(field => (field.Name, Reason: fieldReason));
        return
        [
            .. from member in ofProperties.Concat(ofFields)
               group member.Name by member.Reason into members
               select $"{MemberNameText.List([.. members])} ({members.Key})",
        ];
    }

    private static string? ReasonOf(JsonPropertyInfo property, JsonTypeInfo info)
    {
        if (IsUsed(property) && IsOnlyNull(property, info))
        {
            return OnlyNull;
        }

        if (property.CustomConverter is not null
            || property.IsExtensionData
            || property.AssociatedParameter is not null
            || property.AttributeProvider is not MemberInfo member
            || EndsWarning(member))
        {
            return null;
        }

        return (property.Get, property.Set, member) switch
        {
            (not null, null, PropertyInfo clr)
                when IsData(clr)
                && !IsSetAgain(property, clr, info)
                && !info.Options.IgnoreReadOnlyProperties
                && !Populates(property, info) => NotRead,
            (not null, null, FieldInfo) when !info.Options.IgnoreReadOnlyFields => NotRead,
            (null, not null, PropertyInfo { GetMethod: { } get }) when IsGenerated(get) => NotWritten,
            _ => null,
        };
    }

    /// <summary>
    /// Returns true if a property without a public set accessor has data of its own: it has another set accessor, or it
    /// is an auto-property.
    /// </summary>
    private static bool IsData(PropertyInfo property) =>
        property.SetMethod is not null || (property.GetMethod is { } get && IsGenerated(get));

    /// <summary>
    /// Returns true if the constructor that reads the type certainly sets the property again, from its parameters: only
    /// the constructor can set it, and its value cannot change.
    /// </summary>
    private static bool IsSetAgain(JsonPropertyInfo property, PropertyInfo clr, JsonTypeInfo info) =>
        clr.SetMethod is null
        && info.Properties.Any(other => other.AssociatedParameter is { IsMemberInitializer: false })
        && EventJson.Find(info.Options, property.PropertyType, out _) is { Kind: JsonTypeInfoKind.None };

    private static bool IsGenerated(MethodInfo accessor) => accessor.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false);

    /// <summary>Returns true if the serializer fills the object that the property already has.</summary>
    private static bool Populates(JsonPropertyInfo property, JsonTypeInfo info)
    {
        var handling = property.ObjectCreationHandling ?? info.PreferredPropertyObjectCreationHandling;
        return (handling ?? info.Options.PreferredObjectCreationHandling) == JsonObjectCreationHandling.Populate;
    }

    private static bool EndsWarning(MemberInfo member) => member.GetCustomAttribute<JsonIgnoreAttribute>() is
    {
        Condition: not (JsonIgnoreCondition.Never or JsonIgnoreCondition.WhenWritingDefault or JsonIgnoreCondition.WhenWritingNull)
    };

    /// <summary>Returns the public fields that are no members of the JSON.</summary>
    [UnconditionalSuppressMessage(
        "Trimming",
        "IL2075",
        Justification = "A field that the trimmer has removed is used by no code and has no data. Without it, only a warning is missing.")]
    private static IEnumerable<FieldInfo> FieldsLeftOut(JsonTypeInfo info) => info.Options.IncludeFields
        ? []
        : from field in info.Type.GetFields(BindingFlags.Public | BindingFlags.Instance)
          where field.GetCustomAttribute<JsonIncludeAttribute>() is null
              && !EndsWarning(field)
              && !info.Properties.Any(property => string.Equals(property.Name, field.Name, StringComparison.OrdinalIgnoreCase))
          select field;
}
