namespace EventBus;

/// <summary>Represents an event in a saga's outbox, stored until it is certain that it was sent.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Name">The event's name.</param>
/// <param name="Attributes">The event's other attributes in the format of the stores.</param>
/// <param name="Body">The event's body.</param>
internal sealed record StoredSagaEvent(string Id, string Name, byte[] Attributes, byte[] Body);
