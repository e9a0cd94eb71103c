namespace EventBus;

/// <summary>The settings of one idempotent subscription.</summary>
/// <param name="Subscription">The name of the subscription.</param>
/// <param name="Options">The options of the application.</param>
/// <param name="Lease">The duration of a claim.</param>
internal sealed record IdempotencySettings(string Subscription, IdempotencyOptions Options, TimeSpan Lease);
