namespace EventBus;

/// <summary>
/// Sets the name and the version of an event type. Without this attribute, the name of <c>OrderPlaced</c> is
/// <c>order.placed</c>.
/// </summary>
/// <remarks>
/// A name is two or more lower-case words joined by dots; the last word is the action: <c>order.placed</c>,
/// <c>order-line-item.added</c>. Without the attribute, the last Pascal-case word of the type name is the action and
/// the rest, in kebab case, is the entity; a trailing <c>Event</c> is dropped if two words remain. The order of a key
/// is guaranteed among events with the same first word, for instance all events under <c>order.</c>.
/// </remarks>
/// <param name="name">
/// The name: at least two words of <c>a-z</c>, <c>0-9</c> and inner hyphens, joined by dots; at most 200 characters.
/// Checked when the bus starts.
/// </param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class EventNameAttribute(string name) : Attribute
{
    /// <summary>The name, for instance <c>order.placed</c>.</summary>
    public string Name { get; } = name;

    /// <summary>
    /// The version of the event's schema, 1 or more. Default 1. Older versions are converted with
    /// <c>bus.Upcast&lt;TOld, TNew&gt;(...)</c>.
    /// </summary>
    public int Version { get; set; } = 1;
}
