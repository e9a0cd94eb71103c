namespace EventBus;

/// <summary>Names an event on the wire and gives its version. Without it <c>OrderPlaced</c> means <c>order.placed</c>.</summary>
/// <remarks>
/// A name is two or more lower-case words joined by dots, the last one the action: <c>order.placed</c>, <c>order-line-item.added</c>.
/// By convention the last Pascal word is the action and the rest, in kebab case, the entity; a trailing <c>Event</c> is dropped.
/// The first word is the unit of order: everything under <c>order.</c> is one log.
/// </remarks>
/// <param name="name">The name: words of <c>a-z</c>, <c>0-9</c> and inner hyphens, joined by dots, at least two, at most 200 characters. Checked when the bus starts.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class EventNameAttribute(string name) : Attribute
{
    /// <summary>The name, for instance <c>order.placed</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The version of the event's shape, 1 or more. Default 1. Old versions are carried forward with <c>bus.Upcast&lt;TOld, TNew&gt;(...)</c>.</summary>
    public int Version { get; set; } = 1;
}
