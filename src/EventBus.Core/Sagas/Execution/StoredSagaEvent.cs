namespace EventBus;

/// <summary>An event that is kept until it is certain that it was sent.</summary>
/// <param name="Attributes">Its attributes, as stores write them.</param>
/// <param name="Body">Its body.</param>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
internal sealed record StoredSagaEvent(string Id, string Name, byte[] Attributes, byte[] Body);
