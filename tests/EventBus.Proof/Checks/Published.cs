namespace EventBus.Proof;

/// <summary>An event that a handler published, as it was found on the backend.</summary>
/// <param name="Id">The id of the event.</param>
/// <param name="Parent">The number of the event whose handler published it.</param>
/// <param name="Ordinal">The position of the event among those of the handler.</param>
/// <param name="Run">The attempt of the handler that published it.</param>
internal readonly record struct Published(string Id, long Parent, int Ordinal, long Run);
