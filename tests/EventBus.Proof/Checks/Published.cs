namespace EventBus.Proof;

/// <summary>One event that a handler published, as it was found on the backend.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Parent">The number of the event whose handler published it.</param>
/// <param name="Ordinal">Which of the handler's events it is.</param>
/// <param name="Run">The run of the handler that published it.</param>
internal readonly record struct Published(string Id, long Parent, int Ordinal, long Run);
