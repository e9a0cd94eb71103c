namespace EventBus;

/// <summary>A type of the application that a bus resolves from the container.</summary>
/// <param name="Type">The type.</param>
/// <param name="Title">Names the type at the beginning of an error: <c>The handler Shop.SendReceipt</c>.</param>
/// <param name="IsOfEvents">True if it is resolved only where events are handled; false if always.</param>
internal sealed record ResolvedType(Type Type, string Title, bool IsOfEvents = true);
