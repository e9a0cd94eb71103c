namespace EventBus.Transports;

/// <summary>Describes the other consumers of a subscription.</summary>
/// <param name="Count">The number of receivers other than that of this transport, in any process.</param>
/// <param name="DeadFor">The time for which the backend may still count a receiver whose process has ended.</param>
public readonly record struct OtherConsumers(int Count, TimeSpan DeadFor);
