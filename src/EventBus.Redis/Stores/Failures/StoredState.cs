using EventBus.Stores;

namespace EventBus;

/// <summary>The state of an entry: the name of its event, and the entry without its event and errors.</summary>
internal sealed record StoredState(string Name, FailedEvent Entry);
