namespace EventBus;

/// <summary>Represents an event in a saga's outbox, stored until it is certain that it was sent.</summary>
/// <param name="Attributes">Its attributes in the format of the stores.</param>
/// <param name="Body">Its body.</param>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
internal sealed record StoredSagaEvent(string Id, string Name, byte[] Attributes, byte[] Body);
