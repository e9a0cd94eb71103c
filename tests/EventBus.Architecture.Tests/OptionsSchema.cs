using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Makes the JSON schema of options from their properties: types, defaults, limits, and the summaries as descriptions.
/// </summary>
internal static class OptionsSchema
{
    // A duration as .NET reads it: days, hours, minutes, seconds and a fraction. A number without a colon would be
    // days, which is hardly ever meant, so that form is left out.
    private const string Duration = @"^(\d{1,8}\.)?([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d{1,7})?)?$";

    /// <summary>Returns the schema of options.</summary>
    public static JsonObject Of(Type options)
    {
        var defaults = Activator.CreateInstance(options)!;
        return new JsonObject
        {
            ["type"] = "object",
            ["description"] = Summary(options.Assembly, $"T:{options.FullName}"),
            ["properties"] = new JsonObject(options.GetProperties()
                .OrderBy(property => property.Name, StringComparer.Ordinal)
                .Select(property => KeyValuePair.Create(property.Name, (JsonNode?)Of(property, property.GetValue(defaults))))),
        };
    }

    private static JsonObject Of(PropertyInfo property, object? value)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var schema = type switch
        {
            _ when type.IsClass && type != typeof(string) => Of(type),
            _ when type == typeof(IDictionary<string, SubscriptionOptions>) =>
                new JsonObject { ["type"] = "object", ["additionalProperties"] = Of(typeof(SubscriptionOptions)) },
            _ when type == typeof(IDictionary<string, string>) =>
                new JsonObject { ["type"] = "object", ["additionalProperties"] = OfValue(typeof(string)) },
            _ when type == typeof(IList<TimeSpan>) => new JsonObject { ["type"] = "array", ["items"] = OfValue(typeof(TimeSpan)) },
            _ => OfValue(type),
        };
        AddLimits(schema, property);
        if (value is not null && schema["properties"] is null && value is string or not IEnumerable)
        {
            schema["default"] = value is TimeSpan or Enum
                ? Convert.ToString(value, CultureInfo.InvariantCulture)
                : JsonSerializer.SerializeToNode(value, value.GetType());
        }

        schema["description"] = Summary(property.DeclaringType!.Assembly, $"P:{property.DeclaringType.FullName}.{property.Name}");
        return schema;
    }

    private static JsonObject OfValue(Type type) => type switch
    {
        _ when type == typeof(string) => new JsonObject { ["type"] = "string" },
        _ when type == typeof(bool) => new JsonObject { ["type"] = "boolean" },
        _ when type == typeof(int) || type == typeof(long) => new JsonObject { ["type"] = "integer" },
        _ when type == typeof(double) => new JsonObject { ["type"] = "number" },
        _ when type == typeof(DateTimeOffset) => new JsonObject { ["type"] = "string", ["format"] = "date-time" },
        _ when type == typeof(TimeSpan) => new JsonObject { ["type"] = "string", ["pattern"] = Duration },
        _ when type.IsEnum => new JsonObject { ["type"] = "string", ["enum"] = JsonSerializer.SerializeToNode(Enum.GetNames(type)) },
        _ => throw new NotSupportedException($"The schema has no form for {type}. Add one."),
    };

    /// <summary>
    /// Adds the limits that attributes declare and that JSON Schema can express: not those of durations.
    /// </summary>
    private static void AddLimits(JsonObject schema, PropertyInfo property)
    {
        foreach (var attribute in property.GetCustomAttributesData())
        {
            var limits = attribute.ConstructorArguments.Select(argument => argument.Value).ToArray();
            switch (attribute.AttributeType.Name, limits)
            {
                case ("AllowedRangeAttribute", [not string, not string]):
                    schema["minimum"] = JsonSerializer.SerializeToNode(limits[0]);
                    if (limits[1] is not long.MaxValue)
                    {
                        schema["maximum"] = JsonSerializer.SerializeToNode(limits[1]);
                    }

                    break;

                case ("AllowedCountAttribute", [int, int]):
                    schema["minItems"] = (int)limits[0]!;
                    schema["maxItems"] = (int)limits[1]!;
                    break;

                // Only patterns that JavaScript reads too.
                case ("AllowedTextAttribute", [string pattern, string]) when !pattern.StartsWith("(?s", StringComparison.Ordinal):
                    schema["pattern"] = $"^(?:{pattern})$";
                    break;

                case (nameof(LinkTemplateAttribute), []):
                    schema["pattern"] = $"^(?:{LinkTemplate.Pattern})$";
                    break;
            }
        }
    }

    /// <summary>Returns the summary of a member as text.</summary>
    private static string Summary(Assembly library, string member)
    {
        var documentation = XDocument.Load(Path.ChangeExtension(library.Location, ".xml"));
        var summary = documentation.Descendants("member")
            .Single(each => each.Attribute("name")!.Value == member)
            .Element("summary")!;
        foreach (var reference in summary.Descendants("see").ToList())
        {
            var target = (reference.Attribute("cref") ?? reference.Attribute("langword"))!.Value;
            var parts = target.Split('(')[0].Split('.');
            reference.ReplaceWith(string.Join('.', target.StartsWith("P:", StringComparison.Ordinal) ? parts[^2..] : parts[^1..]));
        }

        return Regex.Replace(summary.Value, @"\s+", " ").Trim();
    }
}
