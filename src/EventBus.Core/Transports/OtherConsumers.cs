namespace EventBus.Transports;

/// <summary>Who else consumes a subscription.</summary>
/// <param name="Count">How many receivers consume it beside that of this transport, whichever process they belong to.</param>
/// <param name="DeadFor">For how long the backend may count a receiver whose process has ended.</param>
public readonly record struct OtherConsumers(int Count, TimeSpan DeadFor);
